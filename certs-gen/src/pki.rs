//! The PKI: three hierarchies, and every identity that was asked of them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::x509::X509;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType};
use time::{OffsetDateTime, UtcOffset};

use crate::authority::{Authority, common_name};
use crate::key::Key;
use crate::serial::Serials;
use crate::shape::{IssuedBy, KeyKind, Names, Sent, Shape, Usage};
use crate::{ClientRecipe, Error, Identity, Name, ServerRecipe, WRONG_NAME, file, store};

const SERVER: &str = "Server";
const CLIENT: &str = "Client";
const UNTRUSTED: &str = "Untrusted";

/// The longest common name there may be: `ub-common-name` of RFC 5280 A.1.
const LONGEST_COMMON_NAME: usize = 64;

/// The authorities, and what they issued. Share it in an [`Arc`].
pub struct Pki {
    seed: u64,
    now: OffsetDateTime,
    server: Authority,
    client: Authority,
    untrusted: Authority,
    rsa: Mutex<Option<Key>>,
    identities: Mutex<HashMap<Order, Arc<Identity>>>,
}

/// What an identity is remembered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Order {
    Server(ServerRecipe, Vec<Name>),
    Client(ClientRecipe),
}

impl Pki {
    /// Makes three new authorities. The seed decides names and serial numbers; "yesterday" counts from `now`.
    pub fn new(seed: u64, now: OffsetDateTime) -> Result<Self, Error> {
        let now = usable(now)?;
        Self::of(seed, now, |title| Authority::new(title, seed, now))
    }

    /// Opens the authorities that [`save`](Self::save) left in `dir`; leaves are issued anew.
    ///
    /// Fails, naming the file, if one is missing, does not fit the others, or is not valid at `now`.
    pub fn open(dir: &Path, seed: u64, now: OffsetDateTime) -> Result<Self, Error> {
        let now = usable(now)?;
        Self::of(seed, now, |title| store::open(dir, title, now))
    }

    /// Keeps the authorities in `dir`: roots and intermediates for everybody to read, the keys of the
    /// intermediates for the owner alone. (The roots' keys are not kept anywhere.)
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        file::create_folder(dir)?;
        store::save(dir, SERVER, &self.server)?;
        store::save(dir, CLIENT, &self.client)?;
        store::save(dir, UNTRUSTED, &self.untrusted)
    }

    /// The identity of a server that goes by `names`; made once, then shared.
    pub fn server(&self, recipe: ServerRecipe, names: &[Name]) -> Result<Arc<Identity>, Error> {
        let shape = recipe.shape();
        let wrong = Name::Dns(WRONG_NAME.to_owned());
        let names = match shape.names {
            Names::AsAsked => names,
            Names::Wrong => slice::from_ref(&wrong),
        };
        names.iter().try_for_each(Name::check)?;
        let first = names.first().ok_or(Error::NoName)?.to_string();
        let subject = if first.len() <= LONGEST_COMMON_NAME { first } else { "Gauntlet server".to_owned() };
        self.once(Order::Server(recipe, names.to_vec()), || {
            self.issue(&["server", recipe.as_str()], shape, subject, names)
        })
    }

    /// The identity of a client, called `RECIPE.client.gauntlet.test`; made once, then shared.
    pub fn client(&self, recipe: ClientRecipe) -> Result<Arc<Identity>, Error> {
        let subject = format!("{recipe}.client.gauntlet.test");
        self.once(Order::Client(recipe), || {
            let name = Name::Dns(subject.clone());
            self.issue(&["client", recipe.as_str()], recipe.shape(), subject, &[name])
        })
    }

    /// What a gateway must trust to reach sound backends.
    pub fn server_root(&self) -> &X509 {
        self.server.root()
    }

    /// What a backend or a listener must trust to accept sound clients.
    pub fn client_root(&self) -> &X509 {
        self.client.root()
    }

    /// What nobody should trust: the root of [`ServerRecipe::UntrustedRoot`] and [`ClientRecipe::Untrusted`].
    pub fn untrusted_root(&self) -> &X509 {
        self.untrusted.root()
    }

    fn of(
        seed: u64,
        now: OffsetDateTime,
        authority: impl Fn(&str) -> Result<Authority, Error>,
    ) -> Result<Self, Error> {
        Ok(Self {
            seed,
            now,
            server: authority(SERVER)?,
            client: authority(CLIENT)?,
            untrusted: authority(UNTRUSTED)?,
            rsa: Mutex::default(),
            identities: Mutex::default(),
        })
    }

    /// Issues outside the lock, so that many can be made at a time. Two who ask for the same at once may both
    /// make it; both are given the one that was finished first.
    fn once(
        &self,
        order: Order,
        issue: impl FnOnce() -> Result<Identity, Error>,
    ) -> Result<Arc<Identity>, Error> {
        if let Some(known) = lock(&self.identities).get(&order) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(issue()?);
        Ok(Arc::clone(lock(&self.identities).entry(order).or_insert(made)))
    }

    fn issue(
        &self,
        words: &[&str],
        shape: Shape,
        subject: String,
        names: &[Name],
    ) -> Result<Identity, Error> {
        let key = self.key(shape.key)?;
        let spelled: Vec<String> = names.iter().map(Name::to_string).collect();
        let words = words.iter().copied().chain(spelled.iter().map(String::as_str));

        let encode = |source| Error::Encode { subject: subject.clone(), source };
        let mut params = leaf(&subject, shape, &key, names).map_err(encode)?;
        params.serial_number = Some(Serials::new(self.seed, self.now).of(words));
        (params.not_before, params.not_after) = shape.lifetime.around(self.now);

        let authority = match shape.issuer {
            IssuedBy::Server => Some(&self.server),
            IssuedBy::Client => Some(&self.client),
            IssuedBy::Untrusted => Some(&self.untrusted),
            IssuedBy::Itself => None,
        };
        let certificate = match authority {
            Some(authority) => params.signed_by(&key, authority.issuer()),
            None => params.self_signed(&key),
        };
        let der = certificate.map_err(encode)?.der().to_vec();

        let mut chain = vec![X509::from_der(&der).map_err(Error::openssl("read back a new certificate"))?];
        match shape.sent {
            Sent::WithIntermediate => chain.extend(authority.map(|one| one.intermediate().clone())),
            Sent::LeafOnly => {}
        }
        Ok(Identity::new(subject, der, chain, &key))
    }

    /// A new P-256 key each time; one RSA key for all, because making one takes as long as a thousand leaves.
    fn key(&self, kind: KeyKind) -> Result<Key, Error> {
        match kind {
            KeyKind::P256 => Key::p256(),
            KeyKind::Rsa2048 => {
                let mut kept = lock(&self.rsa);
                let key = match kept.take() {
                    Some(key) => key,
                    None => Key::rsa2048()?,
                };
                Ok(kept.insert(key).clone())
            }
        }
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki")
            .field("seed", &self.seed)
            .field("now", &self.now)
            .field("identities", &lock(&self.identities).len())
            .finish_non_exhaustive()
    }
}

/// What a leaf says, apart from its dates and its number.
fn leaf(subject: &str, shape: Shape, key: &Key, names: &[Name]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(subject);
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            Name::Dns(name) => Ok(SanType::DnsName(name.as_str().try_into()?)),
            Name::Ip(address) => Ok(SanType::IpAddress(*address)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = match shape.key {
        KeyKind::P256 => vec![KeyUsagePurpose::DigitalSignature],
        // TLS 1.2 cipher suites with RSA key exchange encrypt with the key of the certificate.
        KeyKind::Rsa2048 => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment],
    };
    params.extended_key_usages = vec![match shape.usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    Ok(params)
}

/// The clock in UTC, if there is room for a certificate's years on both sides of it.
fn usable(now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    // UTCTime begins in 1950, GeneralizedTime ends in 9999 (RFC 5280 4.1.2.5).
    match now.checked_to_offset(UtcOffset::UTC) {
        Some(utc) if (1952..9980).contains(&utc.year()) => Ok(utc),
        _ => Err(Error::Clock(now)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks, so a panic elsewhere does not spoil what they guard.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
