//! One hierarchy: a root to trust, and what issues below it.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Crl, X509StoreContext, X509VerifyResult};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, NameConstraints,
};
use time::{Duration, OffsetDateTime};

use crate::Error;
use crate::key::Key;
use crate::parts::{OldDigest, Parts, reissued};
use crate::serial::Serials;
use crate::shape::Lifetime;

/// The place of the issuer among the signed fields of a certificate (RFC 5280 4.1) and of a revocation list (5.1).
const ISSUER: usize = 3;
const ISSUER_OF_LIST: usize = 2;

/// A root, its issuing intermediate, and a branch: an authority for authorities, from which the odd chains hang.
///
/// The root's key signs these two and a revocation list, and is dropped: users are asked to trust the root, so
/// nothing should be able to sign with it afterwards.
pub(crate) struct Authority {
    root: X509,
    root_crl: X509Crl,
    intermediate: Arc<Link>,
    branch: Arc<Link>,
}

impl Authority {
    /// Makes the hierarchy called `Gauntlet {title} Root {seed}`.
    pub(crate) fn new(title: &str, seed: u64, now: OffsetDateTime, root: Lifetime) -> Result<Self, Error> {
        let serials = Serials::new(seed, now);
        let root_name = format!("Gauntlet {title} Root {seed:08x}");
        let plan = LinkPlan { lifetime: root, ..LinkPlan::new(BasicConstraints::Unconstrained) };
        let root = Link::root(&root_name, &plan, serials, now)?;
        Self::above(root, title, &root_name, seed, now)
    }

    /// Makes what is below an authority of somebody's.
    pub(crate) fn adopt(
        title: &str,
        seed: u64,
        now: OffsetDateTime,
        (certificate, key, subject): (&X509, &PKey<Private>, &str),
    ) -> Result<Self, Error> {
        let root = Link::adopted(certificate, key, subject)?;
        let made = Self::above(root, title, subject, seed, now)?;
        made.holds(now)?;
        Ok(made)
    }

    /// Whether a peer that trusts the root takes what it has issued.
    fn holds(&self, now: OffsetDateTime) -> Result<(), Error> {
        let check = || -> Result<Result<(), X509VerifyResult>, ErrorStack> {
            let mut store = X509StoreBuilder::new()?;
            store.add_cert(self.root.clone())?;
            // The root may itself be below another.
            let mut param = X509VerifyParam::new()?;
            param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            param.set_time(now.unix_timestamp());
            store.set_param(&param)?;
            let below = Stack::new()?;
            let mut context = X509StoreContext::new()?;
            context.init(&store.build(), self.branch.certificate(), &below, |context| {
                let holds = context.verify_cert()?;
                Ok(if holds { Ok(()) } else { Err(context.error()) })
            })
        };
        match check().map_err(Error::openssl("check an authority"))? {
            Ok(()) => Ok(()),
            Err(result) => Err(Error::CannotIssue { because: result.error_string().to_owned() }),
        }
    }

    fn above(
        root: Link,
        title: &str,
        root_name: &str,
        seed: u64,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let serials = Serials::new(seed, now);
        let below = |name, constraints| {
            let name = format!("Gauntlet {title} {name} {seed:08x}");
            Link::below(&root, &name, Key::p256()?, &LinkPlan::new(constraints), serials, now, &[])
        };
        Ok(Self {
            intermediate: Arc::new(below("Intermediate", BasicConstraints::Constrained(0))?),
            branch: Arc::new(below("Branch", BasicConstraints::Unconstrained)?),
            root_crl: empty_crl(&root, root_name, now)?,
            root: root.certificate,
        })
    }

    /// Puts a hierarchy together again.
    pub(crate) fn restore(root: X509, root_crl: X509Crl, intermediate: Link, branch: Link) -> Self {
        Self { root, root_crl, intermediate: Arc::new(intermediate), branch: Arc::new(branch) }
    }

    /// The root, which peers trust.
    pub(crate) fn root(&self) -> &X509 {
        &self.root
    }

    /// The root's own revocation list. It is empty, and stays so.
    pub(crate) fn root_crl(&self) -> &X509Crl {
        &self.root_crl
    }

    /// The intermediate that signs leaves, and is sent along with them.
    pub(crate) fn intermediate(&self) -> &Arc<Link> {
        &self.intermediate
    }

    /// The authority that signs other authorities.
    pub(crate) fn branch(&self) -> &Arc<Link> {
        &self.branch
    }
}

/// A certificate that issues others, and the key to do it with.
pub(crate) struct Link {
    certificate: X509,
    issuer: Issuer<'static, Key>,
    /// Its subject in DER, where rcgen may not spell it like that.
    spelled: Option<Vec<u8>>,
}

/// The fields of a [`Link`], apart from its name and key.
pub(crate) struct LinkPlan {
    pub(crate) is_ca: IsCa,
    pub(crate) lifetime: Lifetime,
    pub(crate) constraints: Option<NameConstraints>,
    pub(crate) digest: Option<OldDigest>,
}

impl LinkPlan {
    /// A sound authority.
    pub(crate) const fn new(constraints: BasicConstraints) -> Self {
        Self { is_ca: IsCa::Ca(constraints), lifetime: Lifetime::Authority, constraints: None, digest: None }
    }
}

impl Link {
    fn root(name: &str, plan: &LinkPlan, serials: Serials, now: OffsetDateTime) -> Result<Self, Error> {
        let key = Key::p256()?;
        let params = params(name, plan, &key, serials, now, &[]);
        let root = params.self_signed(&key).map_err(encode(name))?;
        Ok(Self { certificate: parse(root.der())?, issuer: Issuer::new(params, key), spelled: None })
    }

    /// Issues an authority below another. `words` tell its serial number from that of others with its name.
    pub(crate) fn below(
        parent: &Self,
        name: &str,
        key: Key,
        plan: &LinkPlan,
        serials: Serials,
        now: OffsetDateTime,
        words: &[&str],
    ) -> Result<Self, Error> {
        let params = params(name, plan, &key, serials, now, words);
        let mut der = params.signed_by(&key, &parent.issuer).map_err(encode(name))?.der().to_vec();
        if let Some(spelled) = &parent.spelled {
            der = reissued(&der, ISSUER, spelled, parent.key().private())
                .map_err(Error::openssl("sign an authority"))?;
        }
        if let Some(digest) = plan.digest {
            let mut parts = Parts::of(&der);
            let signed = parts.sign_old(parent.key().private(), digest);
            signed.map_err(Error::openssl("sign an authority"))?;
            der = parts.to_der();
        }
        Ok(Self { certificate: parse(&der)?, issuer: Issuer::new(params, key), spelled: None })
    }

    /// An authority of somebody's, with its key.
    fn adopted(certificate: &X509, key: &PKey<Private>, subject: &str) -> Result<Self, Error> {
        let refuse = |because: &str| Error::CannotIssue { because: because.to_owned() };
        let certificate = certificate.clone();
        let key = Key::adopted(key).ok_or_else(|| refuse("its key is neither RSA nor ECDSA"))?;
        if certificate.pathlen() == Some(0) {
            return Err(refuse(
                "its path length is 0, so that no intermediate can be below it; give the one above it",
            ));
        }
        let read = Error::openssl("read an authority");
        let spelled = certificate.subject_name().to_der().map_err(read)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(subject);
        params.key_usages = key_usages();
        let identifier = certificate.subject_key_id().map(|id| id.as_slice().to_vec());
        params.key_identifier_method =
            KeyIdMethod::PreSpecified(identifier.unwrap_or_else(|| key.identifier()));
        Ok(Self { certificate, issuer: Issuer::new(params, key), spelled: Some(spelled) })
    }

    /// Puts a link together again whose certificate has this common name and key.
    pub(crate) fn restore(certificate: X509, name: &str, key: Key) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.key_usages = key_usages();
        params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
        Self { certificate, issuer: Issuer::new(params, key), spelled: None }
    }

    /// A leaf that issued itself.
    pub(crate) fn itself(certificate: X509, params: CertificateParams, key: Key) -> Self {
        Self { certificate, issuer: Issuer::new(params, key), spelled: None }
    }

    /// Certifies a root as if it were below this authority, until half a day ago.
    pub(crate) fn cross_sign(
        &self,
        root: &X509,
        serials: Serials,
        now: OffsetDateTime,
        words: &[&str],
    ) -> Result<X509, Error> {
        let check = Error::openssl("cross-sign a root");
        let plan =
            LinkPlan { lifetime: Lifetime::AuthorityEnded, ..LinkPlan::new(BasicConstraints::Unconstrained) };
        let identifier = root.subject_key_id().map(|id| id.as_slice().to_vec()).unwrap_or_default();
        let mut params = params("cross-signed", &plan, self.key(), serials, now, words);
        params.key_identifier_method = KeyIdMethod::PreSpecified(identifier);
        let der = params.signed_by(self.key(), &self.issuer).map_err(encode("cross-signed"))?;
        let mut parts = Parts::of(der.der());
        let mut adopt = || {
            parts.set_subject(&root.subject_name().to_der()?);
            parts.set_key(&root.public_key()?.public_key_to_der()?);
            parts.sign(self.key().private())
        };
        adopt().map_err(check)?;
        parse(&parts.to_der())
    }

    pub(crate) fn certificate(&self) -> &X509 {
        &self.certificate
    }

    /// How what it issues identifies its key.
    fn identifier(&self) -> Vec<u8> {
        let own = self.certificate.subject_key_id().map(|id| id.as_slice().to_vec());
        own.unwrap_or_else(|| self.key().identifier())
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, Key> {
        &self.issuer
    }

    pub(crate) fn key(&self) -> &Key {
        self.issuer.key()
    }
}

/// A subject of nothing but a common name.
pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn params(
    name: &str,
    plan: &LinkPlan,
    key: &Key,
    serials: Serials,
    now: OffsetDateTime,
    words: &[&str],
) -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = plan.lifetime.around(now, Duration::ZERO);
    params.serial_number = Some(serials.of(["authority", name].into_iter().chain(words.iter().copied())));
    params.distinguished_name = common_name(name);
    params.is_ca = plan.is_ca;
    params.name_constraints = plan.constraints.clone();
    params.key_usages = match plan.is_ca {
        IsCa::Ca(_) => key_usages(),
        // Saying that it must not sign would be a second flaw.
        IsCa::ExplicitNoCa | IsCa::NoCa => Vec::new(),
    };
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    params
}

fn key_usages() -> Vec<KeyUsagePurpose> {
    vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
}

/// A root's list is made once, while there is a key to sign it with, and lasts as long as the root's intermediates.
fn empty_crl(root: &Link, name: &str, now: OffsetDateTime) -> Result<X509Crl, Error> {
    let (this_update, next_update) = Lifetime::Authority.around(now, Duration::ZERO);
    let params = CertificateRevocationListParams {
        this_update,
        next_update,
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::PreSpecified(root.identifier()),
    };
    let crl = params.signed_by(&root.issuer).map_err(encode(name))?;
    let mut der = crl.der().to_vec();
    if let Some(spelled) = &root.spelled {
        der = reissued(&der, ISSUER_OF_LIST, spelled, root.key().private())
            .map_err(Error::openssl("sign a revocation list"))?;
    }
    X509Crl::from_der(&der).map_err(Error::openssl("read back a new revocation list"))
}

fn encode(subject: &str) -> impl FnOnce(rcgen::Error) -> Error {
    move |source| Error::Encode { subject: subject.to_owned(), source }
}

fn parse(der: &[u8]) -> Result<X509, Error> {
    X509::from_der(der).map_err(Error::openssl("read back a new authority"))
}
