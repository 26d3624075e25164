//! The posture of a leg: how a gateway behaves towards one backend, read from what came of each behaviour.
//!
//! An outcome counts only between two sound controls that came through. Where no behaviour tells, nothing is said.

mod asked;
mod nearest;

use serde::{Deserialize, Serialize};

pub use asked::{Pass, asked};
pub use nearest::{Nearest, nearest};

use crate::{
    compose::Composed,
    diagnosis::Diagnosis,
    evidence::{BackendSaw, ClientHelloFacts, Evidence},
};

/// What came of one behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// The request reached the backend and its answer the client.
    Through,
    /// It did not, and the controls before and after did.
    Stopped,
    /// Nothing can be said.
    Inconclusive {
        /// Why.
        because: String,
    },
}

/// One behaviour that a leg met, and the evidence.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The behaviour.
    pub backend: Composed,
    /// What came of it.
    pub came: Came,
    /// What the evidence shows.
    pub observed: Option<Diagnosis>,
    /// What the witnesses saw.
    pub evidence: Evidence,
}

impl Tried {
    /// One without evidence.
    #[must_use]
    pub fn of(backend: Composed, came: Came) -> Self {
        Self { backend, came, observed: None, evidence: Evidence::default() }
    }

    /// The connections that the gateway opened for it.
    pub fn connections(&self) -> impl Iterator<Item = &BackendSaw> {
        self.evidence.backend_saw.iter()
    }
}

/// The certificate that a gateway shows to its backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShownCertificate {
    /// Its subject.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// The days until it ends; negative once it has ended.
    pub days_left: i64,
    /// How many certificates came along with it.
    pub sent_with: usize,
    /// Whether it is its own issuer.
    pub self_signed: bool,
}

impl ShownCertificate {
    /// `ends in 12 days`, `has ended 1 day ago`.
    #[must_use]
    pub fn end(&self) -> String {
        let days = self.days_left.unsigned_abs();
        let days = format!("{days} day{}", if days == 1 { "" } else { "s" });
        if self.days_left < 0 { format!("has ended {days} ago") } else { format!("ends in {days}") }
    }
}

/// What is known of a leg beside the outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegFacts {
    /// The host of the gateway's requests to the backend.
    pub host: Option<String>,
    /// The certificate that it shows.
    pub shown: Option<ShownCertificate>,
    /// Whether a second request came over the connection of the first.
    pub keeps_connections: Option<bool>,
    /// Whether a second connection resumed the session of the first.
    pub resumes: Option<bool>,
    /// Connections to the sound backend that carried no request: health checks, connections opened ahead.
    pub without_request: usize,
    /// The longest time after a behaviour until a sound call came through again, in milliseconds.
    pub pause_ms: u64,
    /// Whether the header with the nonce reached the backend.
    pub nonce_arrives: bool,
}

/// One line of a posture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Line {
    /// What it is about: `verification`.
    pub topic: String,
    /// What the gateway does.
    pub says: String,
}

/// How a leg behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Posture {
    /// What it does, one line a topic.
    pub lines: Vec<Line>,
    /// The settings of an upstream under which the model comes nearest to what was seen.
    pub settings: Option<crate::profile::UpstreamProfile>,
    /// The settings that no behaviour tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<String>,
    /// Behaviours whose outcome is not the one of those settings, shown as they were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexplained: Vec<String>,
    /// What could not be found out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

impl Posture {
    /// What the outcomes and the facts of a leg say of it; `control` is what the backend saw of the first sound call.
    #[must_use]
    pub fn of(tried: &[Tried], control: &[BackendSaw], facts: &LegFacts) -> Self {
        let hello = control.iter().find_map(|saw| saw.client_hello.as_ref());
        let nearest = hello.map(|hello| nearest(tried, hello, facts));
        let reading = Reading { tried, control, hello, facts };
        let open = tried.iter().filter_map(|one| match &one.came {
            Came::Inconclusive { because } => Some(format!("{}: {because}", one.backend.name)),
            Came::Through | Came::Stopped => None,
        });
        let open = open.collect();
        let (settings, untold, unexplained) = nearest
            .map_or_else(Default::default, |near| (Some(near.upstream), near.untold, near.unexplained));
        Self { lines: reading.lines(), settings, untold, unexplained, open }
    }

    /// What the line about this says.
    #[must_use]
    pub fn says(&self, topic: &str) -> Option<&str> {
        self.lines.iter().find(|line| line.topic == topic).map(|line| line.says.as_str())
    }
}

/// Everything that a posture is read from.
struct Reading<'a> {
    tried: &'a [Tried],
    control: &'a [BackendSaw],
    hello: Option<&'a ClientHelloFacts>,
    facts: &'a LegFacts,
}

impl Reading<'_> {
    fn lines(&self) -> Vec<Line> {
        let lines = [
            ("verification", self.verification()),
            ("chain length", self.chain_length()),
            ("revocation", self.revocation()),
            ("client certificate", self.client_certificate()),
            ("versions", self.versions()),
            ("cipher suites", self.suites()),
            ("groups", self.groups()),
            ("application protocols", self.protocols()),
            ("server name", self.server_name()),
            ("host", self.facts.host.clone()),
            ("renegotiation", self.renegotiation()),
            ("post-handshake auth", self.late_authentication()),
            ("connections", self.connections()),
            ("tries", self.tries()),
            ("after a failure", self.pause()),
            ("answers when it fails", self.answers()),
        ];
        let said = lines.into_iter().filter_map(|(topic, says)| Some((topic, says?)));
        said.map(|(topic, says)| Line { topic: topic.to_owned(), says }).collect()
    }

    fn came(&self, backend: &str) -> Option<bool> {
        let one = self.tried.iter().find(|one| one.backend.name == backend)?;
        match one.came {
            Came::Through => Some(true),
            Came::Stopped => Some(false),
            Came::Inconclusive { .. } => None,
        }
    }

    /// The checks of a certificate, each by the one flaw that only it finds.
    fn verification(&self) -> Option<String> {
        const CHECKS: &[(&str, &str)] = &[
            ("chain", "untrusted-root"),
            ("dates", "expired-leaf"),
            ("name", "wrong-name"),
            ("usage", "wrong-extended-key-usage"),
        ];
        let of = |wanted: bool| -> Vec<&str> {
            let such = CHECKS.iter().filter(|(_, flaw)| self.came(flaw) == Some(!wanted));
            such.map(|(check, _)| *check).collect()
        };
        let (checked, unchecked) = (of(true), of(false));
        // RFC 9525 2 has left the common name behind.
        let falls_back = self.came("cn-only") == Some(true) && checked.contains(&"name");
        let fallback = if falls_back { "; takes the common name where there is no other" } else { "" };
        match (checked.is_empty(), unchecked.is_empty()) {
            (true, true) => None,
            (false, true) => Some(format!("checks {}{fallback}", listed(&checked, "and"))),
            (true, false) => Some(format!("checks nothing: neither {}", listed(&unchecked, "nor"))),
            (false, false) => {
                let (checked, unchecked) = (listed(&checked, "and"), listed(&unchecked, "and"));
                Some(format!("checks {checked}, but not {unchecked}{fallback}"))
            }
        }
    }

    /// How many intermediates it takes, where that has a limit that an authority may reach.
    fn chain_length(&self) -> Option<String> {
        // Where revocation lists are checked, one is wanted for every authority, and a long chain has some without.
        let is_told = self.came("untrusted-root") == Some(false) && self.came("revoked-by-crl") == Some(true);
        match (self.came("two-intermediates")?, self.came("chain-10-deep")) {
            (false, _) if is_told => {
                Some("takes one intermediate certificate, and no chain with two".to_owned())
            }
            (true, Some(false)) if is_told => {
                Some("takes two intermediate certificates, and no chain with ten".to_owned())
            }
            _ => None,
        }
    }

    fn revocation(&self) -> Option<String> {
        const SOURCES: &[(&str, &str)] = &[
            ("revoked-by-crl", "a revocation list"),
            ("revoked-by-ocsp", "an OCSP responder"),
            ("stapled-revoked", "a stapled response"),
        ];
        // A gateway that does not check the chain has nothing to look up.
        if self.came("untrusted-root") == Some(true) {
            return None;
        }
        let found: Vec<&str> =
            SOURCES.iter().filter(|(flaw, _)| self.came(flaw) == Some(false)).map(|(_, by)| *by).collect();
        let told = SOURCES.iter().any(|(flaw, _)| self.came(flaw).is_some());
        match (told, found.is_empty()) {
            (false, _) => None,
            (true, true) => Some("is not checked".to_owned()),
            (true, false) => Some(format!("is checked by {}", listed(&found, "and"))),
        }
    }

    fn client_certificate(&self) -> Option<String> {
        if let Some(shown) = &self.facts.shown {
            let alone = if shown.self_signed {
                "issued by itself".to_owned()
            } else {
                let with = match shown.sent_with {
                    0 => "sent without an intermediate",
                    1 => "sent with one more certificate",
                    _ => "sent with its chain",
                };
                format!("issued by {}, {with}", shown.issuer)
            };
            let withheld = self.came("client-cert-required+authority-hints-wrong") == Some(false);
            let unlisted = if withheld { "; withheld from backends that name other authorities" } else { "" };
            return Some(format!("{} ({alone}; {}){unlisted}", shown.subject, shown.end()));
        }
        let required = self.came("client-cert-required+authority-hints-empty")?;
        (!required).then(|| "shows none".to_owned())
    }

    fn versions(&self) -> Option<String> {
        let offered = self.hello?.versions.as_ref()?;
        let spoken = self.control.iter().find_map(|saw| saw.tls_version);
        let picked = spoken.map(|version| format!("; {version} with a current backend")).unwrap_or_default();
        Some(format!("offers {offered}{picked}"))
    }

    fn suites(&self) -> Option<String> {
        let offered: Vec<&String> =
            self.hello?.ciphers.iter().filter(|name| ClientHelloFacts::is_offer(name)).collect();
        let is_weak = |name: &&&String| {
            ["_NULL_", "_anon_", "_RC4_", "_3DES_", "TLS_RSA_"].iter().any(|weak| name.contains(weak))
        };
        let weak = offered.iter().filter(is_weak).count();
        let count = offered.len();
        let plural = if count == 1 { "" } else { "s" };
        Some(match weak {
            0 => format!("offers {count} suite{plural}, all with forward secrecy"),
            _ => format!("offers {count} suite{plural}, {weak} of them without forward secrecy or broken"),
        })
    }

    fn groups(&self) -> Option<String> {
        let hello = self.hello?;
        let offered: Vec<&str> =
            hello.groups.iter().map(String::as_str).filter(|name| ClientHelloFacts::is_offer(name)).collect();
        if offered.is_empty() {
            return None;
        }
        let quantum = offered.iter().any(|name| name.to_ascii_uppercase().contains("MLKEM"));
        let words = if quantum { "post-quantum among them" } else { "none post-quantum" };
        Some(format!("offers {} ({words}); its ClientHello has {} bytes", offered.join(", "), hello.length))
    }

    fn protocols(&self) -> Option<String> {
        let offered = &self.hello?.alpn;
        Some(if offered.is_empty() {
            "offers none".to_owned()
        } else {
            format!("offers {}", offered.join(", "))
        })
    }

    fn server_name(&self) -> Option<String> {
        let hello = self.hello?;
        Some(
            hello
                .server_name
                .as_ref()
                .map_or_else(|| "sends none".to_owned(), |name| format!("sends {name}")),
        )
    }

    fn renegotiation(&self) -> Option<String> {
        let follows = self.came("renegotiation-without-cert")?;
        // A gateway that offers nothing below TLS 1.3 is never asked.
        let was_asked = self.tried.iter().any(|one| {
            one.backend.name == "renegotiation-without-cert"
                && one.connections().any(|saw| saw.tls_version < Some(crate::words::TlsVersion::Tls13))
        });
        let words = if follows { "follows a backend that renegotiates" } else { "refuses to renegotiate" };
        was_asked.then(|| words.to_owned())
    }

    fn late_authentication(&self) -> Option<String> {
        let offers = self.hello?.post_handshake_auth;
        Some(if offers { "is offered" } else { "is not offered" }.to_owned())
    }

    fn connections(&self) -> Option<String> {
        let mut said = Vec::new();
        match self.facts.keeps_connections {
            Some(true) => said.push("keeps connections for the next request".to_owned()),
            Some(false) => said.push("opens a connection for each request".to_owned()),
            None => {}
        }
        match self.facts.resumes {
            Some(true) => said.push("resumes sessions".to_owned()),
            Some(false) => said.push("does not resume sessions".to_owned()),
            None => {}
        }
        if self.facts.without_request > 0 {
            said.push(format!(
                "opened {} without a request (health checks, or ahead of need)",
                self.facts.without_request
            ));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// How often it tries when a connection breaks in the handshake, and when it breaks after the request.
    fn tries(&self) -> Option<String> {
        let connections = |backend: &str| {
            let one = self.tried.iter().find(|one| one.backend.name == backend)?;
            (one.came != Came::Through).then(|| one.connections().count())
        };
        let handshake = connections("resets-in-handshake")?;
        let request = connections("resets-after-request");
        let times = |count: usize| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let late = request.map(|count| format!(", {} where it breaks after the request", times(count)));
        let checks = if self.facts.without_request > 0 { " (health checks may be among them)" } else { "" };
        Some(format!("{} where the handshake breaks{}{checks}", times(handshake), late.unwrap_or_default()))
    }

    /// Whether it leaves a backend alone after it failed.
    fn pause(&self) -> Option<String> {
        /// What a gateway takes that does not wait for anything.
        const AT_ONCE_MS: u64 = 700;
        let seconds = self.facts.pause_ms.div_ceil(1000);
        (self.facts.pause_ms > AT_ONCE_MS).then(|| {
            format!(
                "does not dial for up to {seconds} s (a health check, a passive check or a circuit breaker)"
            )
        })
    }

    /// The statuses of what was stopped, most frequent first.
    fn answers(&self) -> Option<String> {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for one in self.tried.iter().filter(|one| one.came == Came::Stopped) {
            let saw = &one.evidence.client_saw;
            let answer = match saw.status {
                None => "no answer".to_owned(),
                Some(status) if !saw.complete => format!("{status} cut off"),
                Some(status) => status.to_string(),
            };
            *counts.entry(answer).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let said: Vec<String> = counts.iter().map(|(status, count)| format!("{status} ({count}×)")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// `chain, dates and name`.
fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
