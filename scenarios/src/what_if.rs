//! What if: two gateway settings compared by the model alone, without a run.

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, catalogue},
    claims::Claims,
    expectation::{BackendSight, Expectation},
    model,
    words::{Outcome, closed_list},
};

/// One gateway, set up one way.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What it is called: `azure-apim-classic@2025-08+backend-tls13`, `nginx/max-tls12`.
    pub name: String,
    /// What the gateway claims.
    pub claims: Claims,
    /// The upstream through which it calls every backend.
    pub upstream: String,
    /// The listeners that its clients may meet.
    pub listeners: Vec<String>,
}

closed_list! {
    /// The side of a gateway on which something changes.
    Side as "side" {
        /// Between the clients and the gateway.
        Clients = "clients",
        /// Between the gateway and the backends.
        Backends = "backends",
    }
}

closed_list! {
    /// What becomes of one combination.
    Effect as "effect" {
        /// It worked and does not work any more.
        Breaks = "breaks",
        /// It did not work and does now.
        Heals = "heals",
        /// It fails before and after, but in another way: by another party, for another cause, with another answer.
        Differs = "differs",
        /// It works before and after, over another version of TLS.
        Moves = "moves",
        /// Nothing changes.
        Stays = "stays",
        /// One of the two gateways makes no claim about it.
        Unknown = "unknown",
    }
}

/// One combination before and after.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Shift {
    /// Which side it is on.
    pub side: Side,
    /// The backend, or the client.
    pub name: String,
    /// The upstream, or the listener.
    pub through: String,
    /// What becomes of it.
    pub effect: Effect,
    /// What happens before; absent where nothing is claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Expectation>,
    /// What happens after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Expectation>,
}

/// Every combination of the catalogue: each backend behind the setting's upstream, each client before its listeners.
#[must_use]
pub fn compare(before: &Setting, after: &Setting) -> Vec<Shift> {
    let known = catalogue();
    let mut changes = Vec::new();
    for (backend, _, _) in known.backends() {
        let expect = |setting: &Setting| {
            expected(known, setting, (backend, &setting.upstream), ("default", "default"))
        };
        changes.push(change(Side::Backends, backend, &after.upstream, expect(before), expect(after)));
    }
    for listener in before.listeners.iter().filter(|listener| after.listeners.contains(listener)) {
        for (client, _) in known.clients() {
            let expect = |setting: &Setting| {
                let whole = expected(known, setting, ("plain-good", "strict"), (client, listener))?;
                // What the other leg does is the other side's affair.
                Some(Expectation { backend: BackendSight::default(), ..whole })
            };
            changes.push(change(Side::Clients, client, listener, expect(before), expect(after)));
        }
    }
    changes
}

/// What the model says; nothing where the gateway makes no claim.
fn expected(
    known: &Catalogue,
    setting: &Setting,
    (backend, upstream): (&str, &str),
    (client, listener): (&str, &str),
) -> Option<Expectation> {
    let scenario = known.scenario(client, listener, upstream, known.backend(backend).ok()?).ok()?;
    model::expect(&scenario, &setting.claims).ok()
}

fn change(
    side: Side,
    name: &str,
    through: &str,
    before: Option<Expectation>,
    after: Option<Expectation>,
) -> Shift {
    let effect = match (&before, &after) {
        (Some(before), Some(after)) => effect(before, after),
        (None, _) | (_, None) => Effect::Unknown,
    };
    Shift { side, name: name.to_owned(), through: through.to_owned(), effect, before, after }
}

fn effect(before: &Expectation, after: &Expectation) -> Effect {
    match (before.outcome, after.outcome) {
        (Outcome::Reach, Outcome::Refuse) => Effect::Breaks,
        (Outcome::Refuse, Outcome::Reach) => Effect::Heals,
        (Outcome::Reach, Outcome::Reach) if before.backend.tls_version != after.backend.tls_version => {
            Effect::Moves
        }
        (Outcome::Refuse, Outcome::Refuse) if seen(before) != seen(after) => Effect::Differs,
        (Outcome::Reach, Outcome::Reach) | (Outcome::Refuse, Outcome::Refuse) => Effect::Stays,
    }
}

/// What a user notices of a refusal.
fn seen(of: &Expectation) -> impl PartialEq {
    (of.by, of.cause, of.statuses.clone(), of.alerts.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Alert, Cause, Party};

    #[test]
    fn refusals_differ_by_what_a_user_notices() {
        let refused = Expectation {
            outcome: Outcome::Refuse,
            by: Some(Party::Gateway),
            cause: Some(Cause::NoCommonVersion),
            statuses: vec![502],
            alerts: vec![Alert::ProtocolVersion],
            ..Expectation::reach(BackendSight::default())
        };
        let noticed = [
            Expectation { by: Some(Party::Backend), ..refused.clone() },
            Expectation { cause: Some(Cause::NoCommonCipher), ..refused.clone() },
            Expectation { statuses: vec![503], ..refused.clone() },
            Expectation { alerts: vec![Alert::HandshakeFailure], ..refused.clone() },
        ];
        for after in noticed {
            assert_eq!(effect(&refused, &after), Effect::Differs, "{after:?}");
        }
        let unseen = BackendSight { connections: Some(2), ..BackendSight::default() };
        assert_eq!(effect(&refused, &Expectation { backend: unseen, ..refused.clone() }), Effect::Stays);
    }
}
