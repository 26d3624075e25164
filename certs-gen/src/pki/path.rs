//! The authorities between a leaf and its root, and the ones that are sent.

use std::sync::Arc;

use openssl::x509::X509;
use rcgen::{BasicConstraints, IsCa, NameConstraints};

use super::{Kept, Pki};
use crate::authority::{Authority, Link, LinkPlan};
use crate::covered::subtrees;
use crate::key::Key;
use crate::lock::lock;
use crate::parts::OldDigest;
use crate::shape::{IssuedBy, Lifetime, Sent};
use crate::{Error, Name};

/// The authority that issues a leaf, and the certificates from there up, without the root.
pub(super) struct Path {
    pub(super) issuer: Arc<Link>,
    pub(super) authorities: Vec<X509>,
}

impl Path {
    fn of(issuer: &Arc<Link>) -> Self {
        Self { issuer: Arc::clone(issuer), authorities: vec![issuer.certificate().clone()] }
    }

    fn below(self, issuer: Arc<Link>) -> Self {
        let mut authorities = vec![issuer.certificate().clone()];
        authorities.extend(self.authorities);
        Self { issuer, authorities }
    }
}

impl Pki {
    /// The path to a leaf of these names, or none if the leaf issues itself. `words` are the leaf's, and tell the
    /// serial numbers of authorities that are made for it from all others.
    pub(super) fn path(
        &self,
        issuer: IssuedBy,
        words: &[&str],
        names: &[Name],
    ) -> Result<Option<Path>, Error> {
        let authority = LinkPlan::new(BasicConstraints::Unconstrained);
        let below_branch =
            |name, plan: &LinkPlan| self.extend(Path::of(self.server.branch()), name, plan, words);
        let path = match issuer {
            IssuedBy::Itself => return Ok(None),
            IssuedBy::Server => Path::of(self.server.intermediate()),
            IssuedBy::Client => Path::of(self.client.intermediate()),
            IssuedBy::Untrusted => Path::of(self.untrusted.intermediate()),
            IssuedBy::ExpiredRoot => Path::of(self.expired.intermediate()),
            IssuedBy::Rsa => self.rsa_path()?,
            IssuedBy::Sha1Intermediate => {
                let plan = LinkPlan { digest: Some(OldDigest::Sha1), ..authority };
                self.extend(self.rsa_path()?, "SHA-1 Intermediate", &plan, words)?
            }
            IssuedBy::ExpiredIntermediate => {
                let plan = LinkPlan { lifetime: Lifetime::AuthorityEnded, ..authority };
                below_branch("Expired Intermediate", &plan)?
            }
            IssuedBy::Revoked => Path::of(self.server.branch()).below(self.revoked_intermediate()?),
            IssuedBy::RevokedForClients => {
                Path::of(self.client.branch()).below(self.revoked_client_intermediate()?)
            }
            IssuedBy::Permitted => {
                let constraints =
                    NameConstraints { permitted_subtrees: subtrees(names), excluded_subtrees: Vec::new() };
                let plan = LinkPlan { constraints: Some(constraints), ..authority };
                below_branch("Constrained Intermediate", &plan)?
            }
            IssuedBy::Excluded => {
                let constraints =
                    NameConstraints { permitted_subtrees: Vec::new(), excluded_subtrees: subtrees(names) };
                let plan = LinkPlan { constraints: Some(constraints), ..authority };
                below_branch("Constrained Intermediate", &plan)?
            }
            IssuedBy::OneTooMany => {
                let intermediate = Path::of(self.server.intermediate());
                self.extend(intermediate, "Second Intermediate", &authority, words)?
            }
            IssuedBy::NoAuthority => {
                below_branch("No Authority", &LinkPlan { is_ca: IsCa::ExplicitNoCa, ..authority })?
            }
            IssuedBy::Authorities(count) => {
                let mut path = Path::of(self.server.branch());
                for level in 2..=count {
                    path = self.extend(path, &format!("Level {level}"), &authority, words)?;
                }
                path
            }
        };
        Ok(Some(path))
    }

    /// The certificates that go on the wire.
    pub(super) fn chain(
        &self,
        leaf: X509,
        path: Vec<X509>,
        sent: Sent,
        words: &[&str],
    ) -> Result<Vec<X509>, Error> {
        let mut chain = vec![leaf];
        match sent {
            Sent::WithAuthorities => chain.extend(path),
            Sent::LeafOnly => {}
            Sent::FromTheTopDown => chain.extend(path.into_iter().rev()),
            Sent::Twice => {
                chain.extend(path);
                chain = chain.into_iter().flat_map(|one| [one.clone(), one]).collect();
            }
            Sent::WithRoot => {
                chain.extend(path);
                chain.push(self.server.root().clone());
            }
            Sent::WithUnrelated => {
                chain.extend(path);
                chain.push(self.client.root().clone());
                chain.push(self.untrusted.intermediate().certificate().clone());
            }
            Sent::CrossSigned => {
                let expired = self.expired.branch();
                chain.extend(path);
                chain.push(expired.cross_sign(self.server.root(), self.serials(), self.now, words)?);
                chain.push(expired.certificate().clone());
            }
        }
        Ok(chain)
    }

    /// Puts one more authority below a path.
    fn extend(&self, path: Path, name: &str, plan: &LinkPlan, words: &[&str]) -> Result<Path, Error> {
        let name = format!("Gauntlet Server {name} {:08x}", self.seed);
        let key = Key::p256()?;
        let link = Link::below(&path.issuer, &name, key, plan, self.serials(), self.now, words)?;
        Ok(path.below(Arc::new(link)))
    }

    /// The intermediate with an RSA key; made when it is first asked for, because the key takes long.
    fn rsa_path(&self) -> Result<Path, Error> {
        let link = self.intermediate(&self.rsa_intermediate, &self.server, "Server RSA", Key::rsa2048)?;
        Ok(Path::of(self.server.branch()).below(link))
    }

    /// The intermediate of servers that is on the list of its issuer.
    pub(super) fn revoked_intermediate(&self) -> Result<Arc<Link>, Error> {
        self.intermediate(&self.revoked_intermediate, &self.server, "Server Revoked", Key::p256)
    }

    /// The intermediate of clients that is on the list of its issuer.
    pub(super) fn revoked_client_intermediate(&self) -> Result<Arc<Link>, Error> {
        self.intermediate(&self.revoked_client_intermediate, &self.client, "Client Revoked", Key::p256)
    }

    /// A sound intermediate below a branch, made once.
    fn intermediate(
        &self,
        kept: &Kept,
        authority: &Authority,
        title: &str,
        key: impl FnOnce() -> Result<Key, Error>,
    ) -> Result<Arc<Link>, Error> {
        let mut kept = lock(kept);
        if let Some(link) = &*kept {
            return Ok(Arc::clone(link));
        }
        let plan = LinkPlan::new(BasicConstraints::Unconstrained);
        let name = format!("Gauntlet {title} Intermediate {:08x}", self.seed);
        let made = Link::below(authority.branch(), &name, key()?, &plan, self.serials(), self.now, &[])?;
        Ok(Arc::clone(kept.insert(Arc::new(made))))
    }
}
