//! The lines with which a person calls a backend by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tls_gauntlet_scenarios::{
    Accepts, BackendProfile, Cause, DemandTime, FaultAction, FaultPhase, LateFor, ServerCertificate, Staple,
    StatusSource, TlsVersion, catalogue,
};

use super::Front;

/// The files a caller needs.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The root to trust.
    pub(crate) ca: String,
    /// A sound client certificate with its intermediate.
    pub(crate) certificate: String,
    /// Its key.
    pub(crate) key: String,
    /// The revocation lists of every authority of servers.
    pub(crate) crl: String,
}

impl Files {
    /// By the names that the control API gives them.
    pub(crate) fn as_fetched() -> Self {
        let names = ["ca.pem", "client-good.pem", "client-good.key", "crl.pem"];
        let [ca, certificate, key, crl] = names.map(str::to_owned);
        Self { ca, certificate, key, crl }
    }
}

/// A `curl` line that shows what the backend does: an answer, or the refusal that its flaw deserves.
pub(crate) fn curl(profile: &BackendProfile, url: &str, files: &Files) -> String {
    let mut words = vec!["curl".to_owned(), "--cacert".to_owned(), quoted(&files.ca)];
    if profile.client_certificate.is_some() {
        words.extend(["--cert".to_owned(), quoted(&files.certificate)]);
        words.extend(["--key".to_owned(), quoted(&files.key)]);
    }
    let versions = profile.versions();
    match versions.max() {
        TlsVersion::Ssl3 | TlsVersion::Tls10 | TlsVersion::Tls11 => {
            let version = if versions.max() == TlsVersion::Tls11 { "1.1" } else { "1.0" };
            words.extend([format!("--tlsv{version}"), "--tls-max".to_owned(), version.to_owned()]);
            // OpenSSL 3 speaks these only below its default security level.
            words.extend(["--ciphers".to_owned(), "DEFAULT@SECLEVEL=0".to_owned()]);
        }
        TlsVersion::Tls12 | TlsVersion::Tls13 => {}
    }
    if asks_late(profile) {
        // HTTP/2 forbids renegotiation (RFC 9113 9.2.1) and post-handshake authentication (RFC 8740).
        words.push("--http1.1".to_owned());
        if versions.contains(TlsVersion::Tls12) {
            words.extend(["--tls-max".to_owned(), "1.2".to_owned()]);
        }
    }
    if is_about_staples(profile) {
        words.push("--cert-status".to_owned());
    }
    if stalls(profile) {
        words.extend(["--max-time".to_owned(), "5".to_owned()]);
    }
    let path = match (profile.late_for, profile.accepts) {
        (Some(LateFor::SecurePaths), _) => LateFor::SEGMENT,
        (None, Some(Accepts::Everything)) => "hello",
        (None, None) => "",
    };
    words.push(quoted(&format!("{url}{path}")));
    words.join(" ")
}

/// URL and `curl` line of the same backend on the port that answers for all of them by name.
pub(crate) fn curl_by_name(
    profile: &BackendProfile,
    host: &str,
    front: SocketAddr,
    files: &Files,
) -> (String, String) {
    let url = format!("https://{host}:{}/", front.port());
    let line = curl(profile, &url, files);
    let rest = line.strip_prefix("curl ").unwrap_or(&line);
    let line = format!("curl --resolve {host}:{} {rest}", reached(front));
    (url, line)
}

/// A line that shows how backends compose in a name.
pub(crate) fn example_by_name(front: SocketAddr, files: &Files) -> String {
    let example = catalogue().backend("tls12-only+client-cert-required");
    let line = example.ok().and_then(|example| {
        let host = Front::host(&example).ok()?;
        Some(curl_by_name(&example.profile, &host, front, files).1)
    });
    format!("  {}", line.unwrap_or_default())
}

/// Port and address, as curl takes them, by which this machine reaches what listens here.
fn reached(front: SocketAddr) -> String {
    let address = match front.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    match address {
        IpAddr::V4(address) => format!("{}:{address}", front.port()),
        IpAddr::V6(address) => format!("{}:[{address}]", front.port()),
    }
}

/// The name by which a backend on this host has to be called: that of its certificate. What ends in `.localhost` needs
/// no name service (RFC 6761 6.3).
pub(crate) fn called(profile: &BackendProfile, host: &str) -> String {
    let is_address = host.parse::<IpAddr>().is_ok();
    if is_address { host.to_owned() } else { profile.certificate().dialled(host) }
}

/// The call with `openssl s_client`, which shows the handshake itself.
pub(crate) fn s_client(profile: &BackendProfile, host: &str, port: &str, files: &Files) -> String {
    let mut words = vec!["openssl s_client -connect".to_owned(), format!("{host}:{port}")];
    let name = called(profile, host);
    if name.parse::<IpAddr>().is_ok() {
        words.extend(["-noservername -verify_ip".to_owned(), name]);
    } else {
        words.extend(["-servername".to_owned(), name.clone(), "-verify_hostname".to_owned(), name]);
    }
    words.extend(["-verify_return_error -CAfile".to_owned(), quoted(&files.ca)]);
    if profile.client_certificate.is_some() {
        words.extend(["-cert".to_owned(), quoted(&files.certificate)]);
        words.extend(["-cert_chain".to_owned(), quoted(&files.certificate)]);
        words.extend(["-key".to_owned(), quoted(&files.key)]);
    }
    let versions = profile.versions();
    match versions.max() {
        TlsVersion::Ssl3 => words.push("-ssl3 -cipher DEFAULT@SECLEVEL=0".to_owned()),
        TlsVersion::Tls10 => words.push("-tls1 -cipher DEFAULT@SECLEVEL=0".to_owned()),
        TlsVersion::Tls11 => words.push("-tls1_1 -cipher DEFAULT@SECLEVEL=0".to_owned()),
        TlsVersion::Tls12 | TlsVersion::Tls13 => {}
    }
    if is_about_staples(profile) {
        words.push("-status".to_owned());
    }
    if asks_late(profile) {
        words.push(if versions.contains(TlsVersion::Tls12) { "-tls1_2" } else { "-enable_pha" }.to_owned());
    }
    words.join(" ")
}

/// A line that asks for the status of the certificate where that points to, if it points anywhere, or else looks the whole
/// chain up in the revocation lists, if they list any of it.
pub(crate) fn status(profile: &BackendProfile, host: &str, port: &str, files: &Files) -> Option<String> {
    let certificate = profile.certificate();
    Some(match (certificate.points_to(), certificate.revoked_by()) {
        (Some(StatusSource::Crl), _) => {
            format!("{} -crl_check -crl_download </dev/null", s_client(profile, host, port, files))
        }
        (Some(StatusSource::Ocsp), _) => {
            format!("gnutls-cli --ocsp --x509cafile {} --port {port} {host} </dev/null", quoted(&files.ca))
        }
        (None, Some(_)) => {
            let line = curl(profile, &format!("https://{}:{port}/", called(profile, host)), files);
            let rest = line.strip_prefix("curl ").unwrap_or(&line);
            format!("curl --crlfile {} {rest}", quoted(&files.crl))
        }
        (None, None) => return None,
    })
}

/// The kind of the address in the certificate, in words.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command prints it"))]
pub(crate) const fn status_label(source: StatusSource) -> &'static str {
    match source {
        StatusSource::Crl => "revocation list",
        StatusSource::Ocsp => "OCSP responder",
    }
}

fn is_about_staples(profile: &BackendProfile) -> bool {
    profile.staple.is_some() || profile.certificate().must_be_stapled()
}

/// Why a client refuses it that looks for revocation, and not for anything else.
fn status_flaw(profile: &BackendProfile) -> Option<Cause> {
    let certificate = profile.certificate();
    match profile.staple {
        Some(Staple::Revoked) => Some(Cause::ServerCertRevoked),
        Some(Staple::Expired | Staple::Garbage) => Some(Cause::ServerCertStatusUnknown),
        _ if certificate.revoked_by().is_some() => Some(Cause::ServerCertRevoked),
        _ if profile.status_fault.is_some() => Some(Cause::ServerCertStatusUnknown),
        None if certificate.must_be_stapled() => Some(Cause::ServerCertStatusUnknown),
        Some(Staple::Good) | None => None,
    }
}

/// Why a sound client gets no answer, in a few words; none where it always gets one.
pub(crate) fn what_to_expect(profile: &BackendProfile) -> Option<String> {
    let certificate: ServerCertificate = profile.certificate();
    let flaw = certificate.chain_flaw().or(certificate.name_flaw());
    let fault = profile.fault.map(|fault| match fault.does {
        FaultAction::Stall => "gets no answer in time",
        FaultAction::Reset => "is cut off by a reset",
        FaultAction::PlainHttp => "finds no TLS there",
        FaultAction::RefuseConnection => "cannot connect",
        FaultAction::Close | FaultAction::GoAway if fault.at == FaultPhase::Close => "gets an answer",
        FaultAction::Close => "is left without an answer",
        FaultAction::GoAway | FaultAction::RefuseSplit => "gets an answer",
        FaultAction::Alert => "gets the alert internal_error",
        FaultAction::Drip => "gets an answer, byte by byte",
        FaultAction::Garbage | FaultAction::WrongRecordLength => "finds no TLS there",
        FaultAction::OmitCloseNotify => "gets an answer that ends without close_notify",
    });
    match (flaw, fault) {
        (Some(flaw), _) => {
            Some(format!("a sound client refuses this one: {flaw}; curl --insecure looks behind it"))
        }
        (None, Some(fault)) => Some(format!("a sound client {fault}")),
        (None, None) if certificate.is_huge() => {
            Some(format!("most clients refuse this one, whatever they verify: {}", Cause::ServerCertTooLarge))
        }
        (None, None) => status_flaw(profile).map(|flaw| {
            format!("a client that looks for revocation refuses this one: {flaw}; others do not")
        }),
    }
}

/// Whether it asks for something once the request has come.
pub(crate) fn asks_late(profile: &BackendProfile) -> bool {
    let late = profile.client_certificate.is_some_and(|demand| match demand.asked {
        DemandTime::Handshake => false,
        DemandTime::AfterRequest => true,
    });
    late || profile.renegotiation.is_some()
}

fn stalls(profile: &BackendProfile) -> bool {
    profile.fault.is_some_and(|fault| fault.does == FaultAction::Stall)
}

/// The word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_backend_has_its_lines() {
        let files = Files {
            ca: "/run/ca.pem".to_owned(),
            certificate: "/run/client.pem".to_owned(),
            key: "/run/client.key".to_owned(),
            crl: "/run/crl.pem".to_owned(),
        };
        let mut lines = String::new();
        for (name, _, profile) in catalogue().backends() {
            writeln!(lines, "{name}").unwrap();
            let url = format!("https://{}:4001/", called(profile, "localhost"));
            writeln!(lines, "  {}", curl(profile, &url, &files)).unwrap();
            writeln!(lines, "  {}", s_client(profile, "localhost", "4001", &files)).unwrap();
            if let Some(status) = status(profile, "localhost", "4001", &files) {
                writeln!(lines, "  {status}").unwrap();
            }
            if let Some(expect) = what_to_expect(profile) {
                writeln!(lines, "  {expect}").unwrap();
            }
        }
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted("/run/it's here"), r"'/run/it'\''s here'");
        assert_eq!(quoted("https://localhost:1/"), "https://localhost:1/");
        assert_eq!(quoted(""), "''");
    }
}
