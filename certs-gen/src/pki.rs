//! The PKI: four hierarchies, and every identity that was asked of them.

mod leaf;
mod path;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::slice;
use std::sync::{Arc, Mutex};

use openssl::error::ErrorStack;
use openssl::x509::X509;
use rcgen::SerialNumber;
use time::{OffsetDateTime, UtcOffset};

use crate::authority::{Authority, Link};
use crate::covered::{Covered, Names};
use crate::key::{Key, Slot};
use crate::lock::lock;
use crate::parts::{OldDigest, Parts};
use crate::serial::Serials;
use crate::shape::{Form, Holder, Lifetime, Shape};
use crate::{
    Circumstances, ClientCertificate, CrlKind, Error, Identity, Name, OcspKind, ServerCertificate,
    WRONG_NAME, file, revocation, store,
};

/// The hierarchies, and how long their roots last.
const SERVER: (&str, Lifetime) = ("Server", Lifetime::Authority);
const CLIENT: (&str, Lifetime) = ("Client", Lifetime::Authority);
const UNTRUSTED: (&str, Lifetime) = ("Untrusted", Lifetime::Authority);
const EXPIRED: (&str, Lifetime) = ("Expired", Lifetime::AuthorityEnded);

/// The authorities, and what they issued. Share it in an [`Arc`].
pub struct Pki {
    seed: u64,
    now: OffsetDateTime,
    server: Authority,
    client: Authority,
    untrusted: Authority,
    expired: Authority,
    rsa: Slot,
    rsa_intermediate: Kept,
    revoked_intermediate: Kept,
    revoked_client_intermediate: Kept,
    identities: Mutex<HashMap<Order, Arc<Identity>>>,
}

/// An authority that is made when it is first asked for.
type Kept = Mutex<Option<Arc<Link>>>;

/// The key by which an identity is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Order {
    Server(ServerCertificate, Vec<Name>, Option<String>),
    Client(ClientCertificate),
}

impl Pki {
    /// Makes four new authorities. The seed decides names and serial numbers; "yesterday" counts from `now`.
    pub fn new(seed: u64, now: OffsetDateTime) -> Result<Self, Error> {
        let now = usable(now)?;
        Self::of(seed, now, |(title, root)| Authority::new(title, seed, now, root))
    }

    /// Makes new authorities, those of servers and clients below these of somebody's where there are any: what trusts them
    /// takes the sound certificates, and no others.
    ///
    /// Fails if one of them cannot issue: it is no authority, has ended, or has a path length of 0.
    pub fn below(
        server: Option<&Identity>,
        client: Option<&Identity>,
        seed: u64,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let now = usable(now)?;
        Self::of(seed, now, |(title, root)| {
            let above = if title == SERVER.0 {
                server
            } else if title == CLIENT.0 {
                client
            } else {
                None
            };
            match above {
                Some(above) => {
                    Authority::adopt(title, seed, now, (above.leaf(), above.key(), above.subject()))
                }
                None => Authority::new(title, seed, now, root),
            }
        })
    }

    /// Opens the authorities that [`save`](Self::save) left in `dir`; leaves are issued anew.
    ///
    /// Fails, naming the file, if one is missing, does not fit the others, or is not valid at `now`.
    pub fn open(dir: &Path, seed: u64, now: OffsetDateTime) -> Result<Self, Error> {
        let now = usable(now)?;
        Self::of(seed, now, |(title, root)| store::open(dir, title, now, root))
    }

    /// Keeps the authorities in `dir`: roots, their revocation lists and what is below them, readable by all,
    /// the keys of what is below them for the owner alone. (The roots' keys are not kept anywhere.)
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        file::create_folder(dir)?;
        store::save(dir, SERVER.0, &self.server)?;
        store::save(dir, CLIENT.0, &self.client)?;
        store::save(dir, UNTRUSTED.0, &self.untrusted)?;
        store::save(dir, EXPIRED.0, &self.expired)
    }

    /// The identity of a server that goes by `names`; made once, then shared.
    ///
    /// The recipes about names take the first host name for the one to work with, and their certificates are for
    /// [`ServerCertificate::dialled`].
    pub fn server(&self, recipe: ServerCertificate, names: &[Name]) -> Result<Arc<Identity>, Error> {
        self.server_in(recipe, names, &Circumstances::default())
    }

    /// The identity of a server in these circumstances, for the certificates that depend on any.
    pub fn server_in(
        &self,
        recipe: ServerCertificate,
        names: &[Name],
        circumstances: &Circumstances,
    ) -> Result<Arc<Identity>, Error> {
        let shape = Shape::of_server(recipe);
        let wrong = Name::Dns(WRONG_NAME.to_owned());
        let names = match shape.names {
            // None of the names that were asked for is in it, so one certificate serves every caller.
            Names::Wrong => slice::from_ref(&wrong),
            Names::AsAsked
            | Names::CommonNameOnly
            | Names::Addresses
            | Names::HostsAndAddresses
            | Names::Below(_)
            | Names::Nul
            | Names::Uri
            | Names::WrongButCommonName
            | Names::Many(_) => names,
        };
        names.iter().try_for_each(Name::check)?;
        if names.is_empty() {
            return Err(Error::NoName);
        }
        let covered = Covered::by(shape.names, names)?;
        let circumstance = circumstances.word(shape)?;
        self.once(Order::Server(recipe, names.to_vec(), circumstance.clone()), || {
            let spelled = names.iter().map(Name::to_string).chain(circumstance);
            let words: Vec<String> =
                ["server".to_owned(), recipe.to_string()].into_iter().chain(spelled).collect();
            self.issue(&words, shape, covered, names, circumstances)
        })
    }

    /// The identity of a client, called [`ClientCertificate::common_name`]; made once, then shared.
    pub fn client(&self, recipe: ClientCertificate) -> Result<Arc<Identity>, Error> {
        let subject = recipe.common_name();
        self.once(Order::Client(recipe), || {
            let names = [Name::Dns(subject.clone())];
            let words = ["client".to_owned(), recipe.to_string(), subject];
            let covered = Covered::names(&names)?;
            self.issue(&words, Shape::of_client(recipe), covered, &names, &Circumstances::default())
        })
    }

    /// The authority that issues a client's certificate, none if that is its own; makes neither. With
    /// [`ClientCertificate::common_name`] it is enough to tell the certificate from others, and keys take long to make.
    pub fn client_issuer(&self, recipe: ClientCertificate) -> Result<Option<X509>, Error> {
        let path = self.path(Shape::of_client(recipe).issuer, &[], &[])?;
        Ok(path.map(|path| path.issuer.certificate().clone()))
    }

    /// The revocation list of what issues sound server certificates, in DER. What is
    /// [`CrlKind::Revoked`] on it is every [`ServerCertificate::RevokedByCrl`] that was asked for until now.
    pub fn crl(&self, kind: CrlKind) -> Result<Vec<u8>, Error> {
        let revoked = self.serials_of(|order| match order {
            Order::Server(recipe, ..) => *recipe == ServerCertificate::RevokedByCrl,
            Order::Client(_) => false,
        })?;
        revocation::crl(self.server.intermediate(), kind, revoked, self.now)
    }

    /// The revocation lists of every authority above sound server certificates and [`ServerCertificate::RevokedIntermediate`], in
    /// DER, because most gateways want one for every authority of a chain: [`crl`](Self::crl) first, the root's own, empty one
    /// last. What is [`CrlKind::Revoked`] on them is what the first one lists, and the revoked intermediate.
    ///
    /// Those of the authorities that were made for one [`ServerCertificate::ReversedChain`] each come behind them.
    pub fn crls(&self, kind: CrlKind) -> Result<Vec<Vec<u8>>, Error> {
        let mut lists = self.all_crls(self.crl(kind)?, kind, &self.server, &*self.revoked_intermediate()?)?;
        let reversed =
            self.made_for(|order| matches!(order, Order::Server(ServerCertificate::ReversedChain, ..)));
        for issuer in reversed.iter().filter_map(|identity| identity.issuer()) {
            lists.push(revocation::crl(issuer, CrlKind::Empty, Vec::new(), self.now)?);
        }
        Ok(lists)
    }

    /// The revocation lists of every authority above client certificates: [`CrlKind::Revoked`] lists [`ClientCertificate::Revoked`], once it was asked for, and the
    /// intermediate of [`ClientCertificate::RevokedIntermediate`].
    pub fn client_crls(&self, kind: CrlKind) -> Result<Vec<Vec<u8>>, Error> {
        let revoked = self.serials_of(|order| match order {
            Order::Client(recipe) => *recipe == ClientCertificate::Revoked,
            Order::Server(..) => false,
        })?;
        let of_intermediate = revocation::crl(self.client.intermediate(), kind, revoked, self.now)?;
        self.all_crls(of_intermediate, kind, &self.client, &*self.revoked_client_intermediate()?)
    }

    /// An OCSP response about the leaf of `identity`, in DER and signed by its issuer, to be stapled or served.
    pub fn ocsp(&self, identity: &Identity, kind: OcspKind) -> Result<Vec<u8>, Error> {
        let issuer = identity.issuer().ok_or(Error::NoIssuer)?;
        revocation::ocsp(identity.leaf(), issuer, kind, self.now)
            .map_err(Error::openssl("make an OCSP response"))
    }

    /// The root that a gateway must trust to reach sound backends.
    pub fn server_root(&self) -> &X509 {
        self.server.root()
    }

    /// The root that a backend or a listener must trust to accept sound clients.
    pub fn client_root(&self) -> &X509 {
        self.client.root()
    }

    /// The root to keep out of every trust store: that of [`ServerCertificate::UntrustedRoot`] and [`ClientCertificate::Untrusted`].
    pub fn untrusted_root(&self) -> &X509 {
        self.untrusted.root()
    }

    /// The root that ended half a day ago; a peer that trusts it finds [`ServerCertificate::ExpiredRoot`] expired, not untrusted.
    pub fn expired_root(&self) -> &X509 {
        self.expired.root()
    }

    fn of(
        seed: u64,
        now: OffsetDateTime,
        authority: impl Fn((&str, Lifetime)) -> Result<Authority, Error>,
    ) -> Result<Self, Error> {
        Ok(Self {
            seed,
            now,
            server: authority(SERVER)?,
            client: authority(CLIENT)?,
            untrusted: authority(UNTRUSTED)?,
            expired: authority(EXPIRED)?,
            rsa: Slot::default(),
            rsa_intermediate: Kept::default(),
            revoked_intermediate: Kept::default(),
            revoked_client_intermediate: Kept::default(),
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
        words: &[String],
        shape: Shape,
        covered: Covered,
        names: &[Name],
        circumstances: &Circumstances,
    ) -> Result<Identity, Error> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Lifetime::EndsDuringRun = shape.lifetime {
            let end = self.now.checked_add(circumstances.expires_in);
            usable(end.ok_or(Error::Clock(self.now))?)?;
        }
        let subject = covered.common_name.clone();
        let key = Key::of(shape.key, &self.rsa)?;
        let path = self.path(shape.issuer, &words, names)?;

        let mut params = leaf::params(shape, covered, &key, self.now, circumstances);
        params.serial_number = Some(self.serials().of(words.iter().copied()));
        let certificate = match &path {
            Some(path) => params.signed_by(&key, path.issuer.issuer()),
            None => params.self_signed(&key),
        };
        let certificate = certificate.map_err(|source| Error::Encode { subject: subject.clone(), source })?;
        let signer = path.as_ref().map_or(&key, |path| path.issuer.key());
        let der = finish(certificate.der(), shape.form, &key, signer)
            .map_err(Error::openssl("sign a certificate"))?;

        let leaf = X509::from_der(&der).map_err(Error::openssl("read back a new certificate"))?;
        let shown = match shape.holder {
            Holder::Owner => key.private().clone(),
            Holder::Another => key.spoiled().map_err(Error::openssl("spoil a key"))?,
        };
        let (issuer, authorities) = match path {
            Some(path) => (path.issuer, path.authorities),
            None => (Arc::new(Link::itself(leaf.clone(), params, key)), Vec::new()),
        };
        let chain = self.chain(leaf, authorities, shape.sent, &words)?;
        Ok(Identity::new(subject, der, chain, shown, Some(issuer)))
    }

    fn all_crls(
        &self,
        of_intermediate: Vec<u8>,
        kind: CrlKind,
        authority: &Authority,
        revoked: &Link,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let number = serial_number(revoked.certificate())?;
        let of_branch = revocation::crl(authority.branch(), kind, vec![number], self.now)?;
        let of_revoked = revocation::crl(revoked, CrlKind::Empty, Vec::new(), self.now)?;
        let of_root = authority.root_crl().to_der().map_err(Error::openssl("write a revocation list"))?;
        Ok(vec![of_intermediate, of_branch, of_revoked, of_root])
    }

    fn serials(&self) -> Serials {
        Serials::new(self.seed, self.now)
    }

    /// What was issued so far to these orders.
    fn made_for(&self, is_meant: impl Fn(&Order) -> bool) -> Vec<Arc<Identity>> {
        let made = lock(&self.identities);
        made.iter().filter(|(order, _)| is_meant(order)).map(|(_, identity)| Arc::clone(identity)).collect()
    }

    /// The numbers of what was issued so far to these orders, lowest first.
    fn serials_of(&self, is_meant: impl Fn(&Order) -> bool) -> Result<Vec<SerialNumber>, Error> {
        let meant = self.made_for(is_meant);
        let numbers: Result<Vec<SerialNumber>, Error> =
            meant.iter().map(|one| serial_number(one.leaf())).collect();
        let mut numbers = numbers?;
        numbers.sort_by_key(SerialNumber::to_bytes);
        Ok(numbers)
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

fn serial_number(certificate: &X509) -> Result<SerialNumber, Error> {
    let number = certificate.serial_number().to_bn().map_err(Error::openssl("read a serial number"))?;
    Ok(SerialNumber::from(number.to_vec()))
}

/// Does to a certificate what rcgen does not.
fn finish(der: &[u8], form: Form, key: &Key, signer: &Key) -> Result<Vec<u8>, ErrorStack> {
    let special = key.special_encoding();
    if special.is_none() && matches!(form, Form::Regular) {
        return Ok(der.to_vec());
    }
    let mut parts = Parts::of(der);
    if let Some(special) = special {
        parts.set_key(special);
    }
    let signer = signer.private();
    match form {
        Form::Regular => parts.sign(signer)?,
        Form::Version1 => {
            parts.make_version_1();
            parts.sign(signer)?;
        }
        Form::Sha1 => parts.sign_old(signer, OldDigest::Sha1)?,
        Form::Md5 => parts.sign_old(signer, OldDigest::Md5)?,
        Form::Tampered => parts.tamper(),
    }
    Ok(parts.to_der())
}

/// The clock in UTC, if there is room for a certificate's years on both sides of it.
fn usable(now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    // UTCTime begins in 1950, GeneralizedTime ends in 9999 (RFC 5280 4.1.2.5).
    match now.checked_to_offset(UtcOffset::UTC) {
        Some(utc) if (1952..9980).contains(&utc.year()) => Ok(utc),
        _ => Err(Error::Clock(now)),
    }
}
