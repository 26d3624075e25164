//! A gateway profile: what a gateway somewhere else is documented to do, for the embedded one to imitate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    claims::Claims,
    nearest,
    words::{CipherSuite, NoSuiteLeft, TlsVersion, Versions, closed_list},
};

/// What is documented of one gateway at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GatewayProfile {
    /// One sentence: which gateway, when, and what it does.
    pub summary: String,
    /// The sources: the identifiers of the claims in `docs/azure.md`.
    pub source: String,
    /// Since when it is so: `2025-08`.
    pub as_of: String,
    /// The side of its clients.
    pub client_side: ClientSide,
    /// The side of its backends.
    pub backend_side: BackendSide,
    /// What a failure on the backend's side looks like.
    pub failure: Failure,
    /// What its users cannot change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<Setting>,
    /// Where its users can put authorities that it is to know.
    #[serde(default = "both", skip_serializing_if = "is_both")]
    pub stores: Vec<AuthorityStore>,
    /// What else its users have set, as the keys of API Management: cipher suites, HTTP/2, and what Gauntlet does not know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_properties: BTreeMap<String, String>,
    /// What its users can switch, by name; `PROFILE+OPTION` is the profile with the option on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, GatewayOption>,
}

fn both() -> Vec<AuthorityStore> {
    AuthorityStore::ALL.to_vec()
}

#[allow(clippy::ptr_arg, reason = "serde hands over a reference to the field")]
fn is_both(stores: &Vec<AuthorityStore>) -> bool {
    stores == AuthorityStore::ALL
}

/// How it meets its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientSide {
    /// The versions it accepts, whatever a listener allows.
    pub versions: Versions,
    /// The cipher suites it accepts, whatever a listener allows; of TLS 1.3, or of the versions up to 1.2, those of its
    /// library where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// The application protocols of a listener that is told none, in its order; it answers no such offer if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    /// Whether it can ask for a client's certificate once an operation needs it, by renegotiation (RFC 5246 7.4.1.1).
    #[serde(default)]
    pub renegotiates: bool,
}

/// How it meets its backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackendSide {
    /// The versions it offers, whatever an upstream allows.
    pub versions: Versions,
    /// The cipher suites it offers, whatever an upstream allows; of TLS 1.3, or of the versions up to 1.2, those of its
    /// library where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Whether it follows a backend that renegotiates.
    #[serde(default = "yes")]
    pub follows_renegotiation: bool,
}

const fn yes() -> bool {
    true
}

/// What a failure looks like to a client, and in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// The status for a backend that cannot be reached.
    pub status: u16,
    /// The status for a backend that is silent.
    pub timeout_status: u16,
    /// The status for a client without an acceptable certificate, where an operation needs one.
    pub client_certificate_status: u16,
    /// The body.
    pub body: FailureBody,
    /// What its log says when versions or cipher suites do not fit.
    pub channel_text: String,
    /// What its log says when the backend's certificate is not trusted.
    pub trust_text: String,
}

closed_list! {
    /// The shape of the body of a failure.
    FailureBody as "failure body" {
        /// One line of text.
        Plain = "plain",
        /// `{ "statusCode": …, "message": …, "activityId": … }`, as API Management sends it.
        ApiManagement = "api-management",
    }
}

closed_list! {
    /// A store of authorities, as API Management names them.
    AuthorityStore as "store" {
        /// Roots: anchors of trust.
        Root = "Root",
        /// Intermediates, which complete chains and anchor nothing.
        CertificateAuthority = "CertificateAuthority",
    }
}

closed_list! {
    /// What the users of a gateway may or may not change.
    Setting as "setting" {
        /// The protocol versions.
        Protocols = "protocols",
        /// The cipher suites.
        Ciphers = "ciphers",
    }
}

/// A switch: what is different when it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GatewayOption {
    /// One sentence: what it switches.
    pub summary: String,
    /// Versions that it adds for clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_side_with: Vec<TlsVersion>,
    /// Versions that it takes from clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_side_without: Vec<TlsVersion>,
    /// The application protocols that it switches on for clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_side_protocols: Vec<String>,
    /// Versions that it adds for backends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_side_with: Vec<TlsVersion>,
    /// Versions that it takes from backends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_side_without: Vec<TlsVersion>,
    /// Cipher suites that it takes from both sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_ciphers: Vec<CipherSuite>,
}

impl Setting {
    /// The words for it.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Protocols => "protocols",
            Self::Ciphers => "cipher suites",
        }
    }
}

impl GatewayOption {
    /// What it changes.
    fn changes(&self) -> impl Iterator<Item = Setting> {
        let versions = [
            &self.client_side_with,
            &self.client_side_without,
            &self.backend_side_with,
            &self.backend_side_without,
        ];
        let protocols = versions.iter().any(|versions| !versions.is_empty()).then_some(Setting::Protocols);
        let ciphers = (!self.without_ciphers.is_empty()).then_some(Setting::Ciphers);
        protocols.into_iter().chain(ciphers)
    }
}

/// An option that a profile does not have, or that leaves a side without any version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error("{profile} has no option \"{option}\"{hint} (it has {known})")]
    Unknown {
        /// The profile.
        profile: String,
        /// The option as given.
        option: String,
        /// `; did you mean …?` where one that it has is near.
        hint: String,
        /// The suites that it has.
        known: String,
    },
    /// It would change what cannot be changed.
    #[error("the option \"{option}\" would change the {} of {profile}, which are fixed there", .what.in_words())]
    Fixed {
        /// The profile.
        profile: String,
        /// The option.
        option: String,
        /// What it would change.
        what: Setting,
    },
    /// Nothing would be left.
    #[error(
        "with the option \"{option}\", {profile} would have no TLS version left on the side of its {side}"
    )]
    NothingLeft {
        /// The profile.
        profile: String,
        /// The option that takes the last one.
        option: String,
        /// `clients` or `backends`.
        side: &'static str,
    },
    /// No cipher suite would be left.
    #[error(
        "with the option \"{option}\", {profile} would have no cipher suite left on the side of its {side}"
    )]
    NoCipherLeft {
        /// The profile.
        profile: String,
        /// The option that takes the last one.
        option: String,
        /// `clients` or `backends`.
        side: &'static str,
    },
}

impl GatewayProfile {
    /// The profile with these options on, in this order.
    ///
    /// # Errors
    /// [`OptionError`] for an option that it does not have, or that takes its last version.
    pub fn with_options<'a>(
        &self,
        name: &str,
        options: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OptionError> {
        let mut profile = self.clone();
        for option in options {
            let switch = self.options.get(option).ok_or_else(|| OptionError::Unknown {
                profile: name.to_owned(),
                option: option.to_owned(),
                hint: nearest::hint(option, self.options.keys().map(String::as_str)),
                known: match self.options.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
                    none if none.is_empty() => "none".to_owned(),
                    known => known,
                },
            })?;
            if let Some(what) = switch.changes().find(|what| profile.fixed.contains(what)) {
                let (profile, option) = (name.to_owned(), option.to_owned());
                return Err(OptionError::Fixed { profile, option, what });
            }
            let nothing_left =
                |side| OptionError::NothingLeft { profile: name.to_owned(), option: option.to_owned(), side };
            let client =
                changed(&profile.client_side.versions, &switch.client_side_with, &switch.client_side_without);
            profile.client_side.versions = client.ok_or_else(|| nothing_left("clients"))?;
            if !switch.client_side_protocols.is_empty() {
                profile.client_side.protocols.clone_from(&switch.client_side_protocols);
            }
            let backend = changed(
                &profile.backend_side.versions,
                &switch.backend_side_with,
                &switch.backend_side_without,
            );
            profile.backend_side.versions = backend.ok_or_else(|| nothing_left("backends"))?;
            for (side, ciphers) in [
                ("clients", &mut profile.client_side.ciphers),
                ("backends", &mut profile.backend_side.ciphers),
            ] {
                *ciphers = without(ciphers.take(), &switch.without_ciphers).map_err(|NoSuiteLeft| {
                    OptionError::NoCipherLeft { profile: name.to_owned(), option: option.to_owned(), side }
                })?;
            }
            profile.summary = format!("{} {}", profile.summary, switch.summary);
        }
        Ok(profile)
    }

    /// What a gateway claims that makes these claims and imitates this profile.
    #[must_use]
    pub fn claims(&self, mut claims: Claims) -> Claims {
        claims.upstream_versions = Some(self.backend_side.versions.clone());
        if let Some(ciphers) = &self.backend_side.ciphers {
            let own = claims.upstream_ciphers.unwrap_or_default();
            let is_told = |suite: &CipherSuite| {
                let is_tls13 = suite.fits(TlsVersion::Tls13);
                ciphers.iter().any(|told| told.fits(TlsVersion::Tls13) == is_tls13)
            };
            let untold = own.into_iter().filter(|suite| !is_told(suite));
            claims.upstream_ciphers = Some(ciphers.iter().copied().chain(untold).collect());
            claims.limits_upstream_ciphers = true;
        }
        claims.listener.ciphers.clone_from(&self.client_side.ciphers);
        claims.follows_renegotiation = Some(self.backend_side.follows_renegotiation);
        claims.answers_post_handshake_auth = Some(false);
        claims.listener.versions = Some(self.client_side.versions.clone());
        claims.listener.protocols = Some(self.client_side.protocols.clone());
        claims.listener.renegotiates = Some(self.client_side.renegotiates);
        claims.listener.asks_post_handshake = Some(false);
        claims.listener.late_certificate_status = Some(self.failure.client_certificate_status);
        claims
    }
}

/// The list with some suites fewer. One that has named some of a kind must go on naming one, or it would say nothing.
fn without(
    ciphers: Option<Vec<CipherSuite>>,
    fewer: &[CipherSuite],
) -> Result<Option<Vec<CipherSuite>>, NoSuiteLeft> {
    let Some(mut ciphers) = ciphers else { return Ok(None) };
    let kinds = |list: &[CipherSuite]| {
        [true, false].map(|is_tls13| list.iter().any(|suite| suite.fits(TlsVersion::Tls13) == is_tls13))
    };
    let before = kinds(&ciphers);
    ciphers.retain(|suite| !fewer.contains(suite));
    if kinds(&ciphers) == before { Ok(Some(ciphers)) } else { Err(NoSuiteLeft) }
}

/// The set with some versions more, and then some fewer.
fn changed(versions: &Versions, with: &[TlsVersion], without: &[TlsVersion]) -> Option<Versions> {
    let all: Vec<TlsVersion> = versions.iter().chain(with.iter().copied()).collect();
    Versions::of(&all).only(|version| !without.contains(&version))
}
