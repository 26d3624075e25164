//! Sweeps: everything is offered, what the server picks is taken away, and so on until it finds nothing any more. No
//! handshake is completed, and in TLS 1.3 no key is made: a server that is offered no key share names its choices in
//! a HelloRetryRequest.

use openssl::{nid::Nid, x509::X509};
use tls_gauntlet_scenarios::{Alert, Cause, TlsVersion};

use super::line::{Line, NoAnswer};
use crate::wire::{
    names,
    offer::{Offer, extension},
    server_flight::{ServerFlight, ServerHello},
};

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746 3.3): even SSL 3.0 understands it.
const RENEGOTIATION_SCSV: u16 = 0x00ff;

/// The result of sweeping one version.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// The suites, in the order in which it picked them.
    pub(super) ciphers: Vec<u16>,
    /// Each leaf certificate that was shown in the clear, and a suite it was shown for.
    pub(super) leaves: Vec<(Vec<u8>, u16)>,
    /// Groups and signature schemes that were picked on the way.
    groups: Vec<u16>,
    schemes: Vec<u16>,
    pub(super) smallest_prime: Option<usize>,
    pub(super) renegotiates_securely: bool,
    pub(super) has_session_ids: bool,
    /// The first answer that was not a ServerHello of this version, if it was an alert.
    pub(super) alert: Option<Alert>,
    /// Why the sweep ended early.
    pub(super) incomplete: Option<Cause>,
}

/// Everything, in every version from 1.0 on.
pub(super) fn everything(name: Option<&str>) -> Offer {
    let mut offer = of_version(TlsVersion::Tls13, name);
    let versions = TlsVersion::ALL.iter().rev().filter(|version| **version != TlsVersion::Ssl3);
    offer.versions = Some(versions.map(|version| version.number()).collect());
    offer.ciphers = names::ciphers().chain([RENEGOTIATION_SCSV]).collect();
    offer
}

/// Everything that this version has.
pub(super) fn of_version(version: TlsVersion, name: Option<&str>) -> Offer {
    let is_tls13 = version == TlsVersion::Tls13;
    let mut ciphers: Vec<u16> = names::ciphers().filter(|code| is_tls13_suite(*code) == is_tls13).collect();
    if !is_tls13 {
        ciphers.push(RENEGOTIATION_SCSV);
    }
    let mut extensions = Vec::new();
    if version > TlsVersion::Ssl3 {
        extensions.extend(name.map(|_| extension::SERVER_NAME));
        extensions.extend([extension::EC_POINT_FORMATS, extension::SUPPORTED_GROUPS]);
    }
    if version >= TlsVersion::Tls12 {
        extensions.push(extension::SIGNATURE_ALGORITHMS);
    }
    if is_tls13 {
        extensions.extend([
            extension::SUPPORTED_VERSIONS,
            extension::PSK_KEY_EXCHANGE_MODES,
            extension::KEY_SHARE,
        ]);
    }
    Offer {
        legacy_version: version.number().min(TlsVersion::Tls12.number()),
        versions: is_tls13.then(|| vec![version.number()]),
        ciphers,
        extensions,
        groups: names::groups().collect(),
        point_formats: vec![0],
        signature_algorithms: names::signature_schemes().collect(),
        server_name: name.map(str::to_owned),
        ..Offer::default()
    }
}

fn is_tls13_suite(code: u16) -> bool {
    code >> 8 == 0x13 || matches!(code, 0x00c6 | 0x00c7 | 0xc0b4 | 0xc0b5)
}

/// Every cipher suite of a version, and what can be read on the way.
pub(super) async fn ciphers(line: &Line, version: TlsVersion, name: Option<&str>) -> Swept {
    let mut offer = of_version(version, name);
    let mut swept = Swept::default();
    loop {
        let flight = match line.ask(&offer).await {
            Ok(flight) => flight,
            Err(none) => {
                // A server may well say no by hanging up.
                swept.incomplete = (!none.is_end()).then_some(none.cause);
                return swept;
            }
        };
        let Some(hello) = picked(&flight, version, |hello| offer.ciphers.contains(&hello.cipher)) else {
            swept.alert = flight.alert;
            return swept;
        };
        swept.note(hello, &flight);
        offer.ciphers.retain(|code| *code != hello.cipher);
        // A picked group or scheme goes to the end, so that a server that follows the client's order shows the next one.
        put_last(&mut offer.groups, swept.groups.last());
        put_last(&mut offer.signature_algorithms, swept.schemes.last());
    }
}

fn put_last(list: &mut Vec<u16>, picked: Option<&u16>) {
    if let Some(place) = list.iter().position(|code| Some(code) == picked) {
        let code = list.remove(place);
        list.push(code);
    }
}

impl Swept {
    fn note(&mut self, hello: &ServerHello, flight: &ServerFlight) {
        self.ciphers.push(hello.cipher);
        self.renegotiates_securely |= hello.extensions.contains(&extension::RENEGOTIATION_INFO);
        // In TLS 1.3 it is the echo of the client's own.
        self.has_session_ids |= hello.has_session_id && hello.tls_version() != Some(TlsVersion::Tls13);
        if let Some(leaf) = flight.certificates.first()
            && !self.leaves.iter().any(|(known, _)| known == leaf)
        {
            self.leaves.push((leaf.clone(), hello.cipher));
        }
        let exchange = flight.key_exchange.as_ref();
        let group = hello.group.or_else(|| exchange?.group);
        self.groups.extend(group.filter(|group| !self.groups.contains(group)));
        let scheme = exchange.and_then(|exchange| exchange.signature);
        self.schemes.extend(scheme.filter(|scheme| !self.schemes.contains(scheme)));
        let prime = exchange.and_then(|exchange| exchange.prime_bits);
        self.smallest_prime = match (self.smallest_prime, prime) {
            (Some(known), Some(seen)) => Some(known.min(seen)),
            (known, seen) => known.or(seen),
        };
    }

    /// The suites in which the server signs its half of the key exchange on a curve.
    fn on_curves(&self) -> Vec<u16> {
        self.named(&["_ECDHE_", "_ECDH_anon_"])
    }

    fn curve_of_leaf(&self) -> Option<u16> {
        let leaves = self.leaves.iter().filter_map(|(leaf, _)| X509::from_der(leaf).ok());
        let mut keys = leaves.filter_map(|leaf| leaf.public_key().ok()?.ec_key().ok());
        keys.find_map(|key| match key.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => Some(23),
            Nid::SECP384R1 => Some(24),
            Nid::SECP521R1 => Some(25),
            _ => None,
        })
    }

    fn signed(&self) -> Vec<u16> {
        self.named(&["_ECDHE_", "_DHE_"])
    }

    fn named(&self, parts: &[&str]) -> Vec<u16> {
        let fits = |code: &u16| {
            let name = names::cipher(*code);
            parts.iter().any(|part| name.contains(part)) && !name.contains("PSK")
        };
        self.ciphers.iter().copied().filter(fits).collect()
    }
}

/// Every group of a version, in the order in which the server picks them; nothing if it stopped answering. One that
/// has an order of its own and prefers the curve of its certificate shows none of those that come after it.
pub(super) async fn groups(
    line: &Line,
    version: TlsVersion,
    name: Option<&str>,
    swept: &Swept,
) -> Option<Vec<u16>> {
    let mut offer = of_version(version, name);
    offer.ciphers = if version == TlsVersion::Tls13 { swept.ciphers.clone() } else { swept.on_curves() };
    let mut found = swept.groups.clone();
    if offer.ciphers.is_empty() || version == TlsVersion::Ssl3 {
        return Some(found);
    }
    // Up to TLS 1.2 a certificate on a curve needs that curve among the groups (RFC 8422 5.1), so it stays, last.
    let needed = if version == TlsVersion::Tls13 { None } else { swept.curve_of_leaf() };
    offer.groups.retain(|group| !found.contains(group));
    offer.groups.extend(needed.filter(|group| found.contains(group)));
    loop {
        let flight = ask_on(line, &offer).await?;
        let Some(flight) = flight else { return Some(found) };
        let group = picked(&flight, version, |_| true).and_then(|hello| {
            hello.group.or_else(|| flight.key_exchange.as_ref().and_then(|exchange| exchange.group))
        });
        let group = group.filter(|group| offer.groups.contains(group) && !found.contains(group));
        let Some(group) = group else { return Some(found) };
        found.push(group);
        offer.groups.retain(|code| *code != group);
        if Some(group) == needed {
            offer.groups.push(group);
        }
        if offer.groups.is_empty() {
            return Some(found);
        }
    }
}

/// Every scheme with which the server signs in TLS 1.2.
pub(super) async fn signature_schemes(line: &Line, name: Option<&str>, swept: &Swept) -> Option<Vec<u16>> {
    let mut offer = of_version(TlsVersion::Tls12, name);
    offer.ciphers = swept.signed();
    let mut found = swept.schemes.clone();
    if offer.ciphers.is_empty() {
        return Some(found);
    }
    offer.signature_algorithms.retain(|scheme| !found.contains(scheme));
    loop {
        let flight = ask_on(line, &offer).await?;
        let scheme = flight.and_then(|flight| flight.key_exchange?.signature);
        let Some(scheme) = scheme.filter(|scheme| offer.signature_algorithms.contains(scheme)) else {
            return Some(found);
        };
        found.push(scheme);
        offer.signature_algorithms.retain(|code| *code != scheme);
    }
}

/// The next answer of a sweep; an end is one, too. Nothing if the server could not be asked.
async fn ask_on(line: &Line, offer: &Offer) -> Option<Option<ServerFlight>> {
    match line.ask(offer).await {
        Ok(flight) => Some(Some(flight)),
        Err(none) if none.is_end() => Some(None),
        Err(NoAnswer { .. }) => None,
    }
}

/// The ServerHello, if it is one of this version with something that was offered.
pub(super) fn picked(
    flight: &ServerFlight,
    version: TlsVersion,
    was_offered: impl Fn(&ServerHello) -> bool,
) -> Option<&ServerHello> {
    let hello = flight.hello.as_ref()?;
    (hello.tls_version() == Some(version) && was_offered(hello)).then_some(hello)
}
