//! Reads late demands out of what a witness says of one request.

use serde_json::Value;
use tls_gauntlet_scenarios::{Cause, ClientCertificatePolicy, LateDemand, Party, TlsVersion, catalogue};

use super::{Demanded, Witness};
use crate::{gateway::operation, record::CellRecord};

/// The late demand of a cell, if there was one.
pub(super) fn of_cell(cell: &CellRecord) -> Option<Demanded> {
    let told = cell.gateway_said.iter().filter_map(|line| of_line(line)).flatten().next();
    let demanded = told.or_else(|| of_client(cell))?;
    Some(Demanded { gateway: Some(cell.gateway.clone()), listener: Some(cell.listener.clone()), ..demanded })
}

/// What the client saw, where the gateway's log says nothing of it.
fn of_client(cell: &CellRecord) -> Option<Demanded> {
    let known = catalogue();
    let saw = cell.client_saw.as_ref()?;
    let is_on_demand = known
        .listener(&cell.listener)
        .is_ok_and(|listener| listener.client_certificate == ClientCertificatePolicy::OnDemand);
    let here = cell.observed.as_ref().filter(|observed| observed.by != Some(Party::Backend));
    let cause = here.and_then(|observed| observed.cause);
    let outcome = match (saw.asked_late, cause) {
        (true, Some(Cause::ClientCertMissing)) => LateDemand::Missing,
        (true, Some(Cause::RenegotiationRefused | Cause::PostHandshakeAuthRefused)) => {
            LateDemand::NotFollowed
        }
        (true, Some(cause)) if cause.is_about_client_certificate() => LateDemand::Refused,
        (true, _) => LateDemand::Given,
        (false, Some(Cause::ClientCertMissing | Cause::PostHandshakeAuthRefused)) if is_on_demand => {
            LateDemand::NotAsked
        }
        (false, _) => return None,
    };
    let is_secure = known.client(&cell.client).is_ok_and(|client| client.secure_path);
    Some(Demanded {
        gateway: None,
        listener: None,
        method: "GET".to_owned(),
        path: if is_secure { "/secure" } else { "/" }.to_owned(),
        tls_version: saw.tls_version?,
        http_version: "HTTP/1.1".to_owned(),
        outcome,
        witness: Witness::Client,
    })
}

/// Whether a line of the embedded gateway's log is about a request, and its late demand, if there was one.
#[allow(
    clippy::option_option,
    reason = "a line about something else is not one of a request that was not asked"
)]
pub(super) fn of_line(line: &str) -> Option<Option<Demanded>> {
    if line.starts_with('{') { of_gateway_logs(line) } else { of_words(line) }
}

#[allow(clippy::option_option, reason = "as above")]
fn of_gateway_logs(line: &str) -> Option<Option<Demanded>> {
    let line: Value = serde_json::from_str(line).ok()?;
    let (method, path) = line["OperationId"].as_str()?.split_once(' ')?;
    let outcome = line["gauntlet"].get("late")?.as_str().and_then(|word| word.parse().ok());
    let demanded = outcome.and_then(|outcome| {
        Some(Demanded {
            gateway: None,
            listener: None,
            method: method.to_owned(),
            path: path.to_owned(),
            tls_version: line["ClientTlsVersion"].as_str()?.parse().ok()?,
            http_version: line["ClientProtocol"].as_str()?.to_owned(),
            outcome,
            witness: Witness::Gateway,
        })
    });
    Some(demanded)
}

#[allow(clippy::option_option, reason = "as above")]
fn of_words(line: &str) -> Option<Option<Demanded>> {
    if !line.starts_with("nonce=") {
        return None;
    }
    // The error comes last and may hold anything; the words before it hold no spaces.
    let words = line.split(" error=").next().unwrap_or(line);
    let word = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name));
    let demanded = || {
        let outcome: LateDemand = word("late=")?.parse().ok()?;
        let tls_version: TlsVersion = word("tls=")?.parse().ok()?;
        Some(Demanded {
            gateway: None,
            listener: None,
            method: word("method=")?.to_owned(),
            path: operation(word("path=")?),
            tls_version,
            http_version: word("http=")?.to_owned(),
            outcome,
            witness: Witness::Gateway,
        })
    };
    Some(demanded())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(
        "nonce=a path=/r/1/a/orders status=200 method=PUT tls=TLSv1.2 http=HTTP/1.1 late=given",
        Some("PUT /orders")
    )]
    #[case(
        r#"{"OperationId":"PUT /orders","ClientTlsVersion":"TLSv1.2","ClientProtocol":"HTTP/1.1","gauntlet":{"late":"given"}}"#,
        Some("PUT /orders")
    )]
    #[case("nonce=a path=/r/1/late=given status=200", None)]
    #[case(
        r#"nonce=a path=/r status=404 party=gateway error="x method=PUT tls=TLSv1.2 http=h late=given x""#,
        None
    )]
    #[case(r#"{"OperationId":"PUT /orders","gauntlet":{"late":null}}"#, None)]
    fn a_line_about_a_request_tells_what_was_demanded(#[case] line: &str, #[case] operation: Option<&str>) {
        let told = of_line(line).expect("it is about a request");
        let told = told.map(|told| {
            assert_eq!((told.tls_version, told.outcome), (TlsVersion::Tls12, LateDemand::Given));
            format!("{} {}", told.method, told.path)
        });
        assert_eq!(told.as_deref(), operation);
    }

    /// One cell, and what its client went through.
    fn cell(client: &str, listener: &str, asked_late: bool, refused: Option<(Party, Cause)>) -> CellRecord {
        let observed = match refused {
            None => json!({ "outcome": "reach" }),
            Some((by, cause)) => json!({ "outcome": "refuse", "by": by, "cause": cause }),
        };
        let saw = json!({ "asked_late": asked_late, "tls_version": "TLSv1.2" });
        serde_json::from_value(json!({
            "id": "", "gateway": "nginx", "client": client, "listener": listener, "upstream": "strict",
            "backend": "plain-good", "verdict": "pass", "observed": observed, "client_saw": saw, "why": "",
            "source": "", "reproduce": "", "duration_ms": 1,
        }))
        .unwrap()
    }

    const ON_DEMAND: &str = "client-cert-on-demand";

    #[rstest]
    #[case::given(true, None, ON_DEMAND, Some(LateDemand::Given))]
    #[case::missing(true, Some((Party::Gateway, Cause::ClientCertMissing)), ON_DEMAND, Some(LateDemand::Missing))]
    #[case::not_followed(true, Some((Party::Client, Cause::RenegotiationRefused)), ON_DEMAND, Some(LateDemand::NotFollowed))]
    #[case::not_answered(true, Some((Party::Client, Cause::PostHandshakeAuthRefused)), ON_DEMAND, Some(LateDemand::NotFollowed))]
    #[case::refused(true, Some((Party::Gateway, Cause::ClientCertExpired)), ON_DEMAND, Some(LateDemand::Refused))]
    #[case::refused_for_something_else(true, Some((Party::Gateway, Cause::Timeout)), ON_DEMAND, Some(LateDemand::Given))]
    #[case::missed_by_the_backend(true, Some((Party::Backend, Cause::ClientCertMissing)), ON_DEMAND, Some(LateDemand::Given))]
    #[case::not_asked(false, Some((Party::Gateway, Cause::ClientCertMissing)), ON_DEMAND, Some(LateDemand::NotAsked))]
    #[case::could_not_be_asked(false, Some((Party::Gateway, Cause::PostHandshakeAuthRefused)), ON_DEMAND, Some(LateDemand::NotAsked))]
    #[case::asked_at_once(false, Some((Party::Gateway, Cause::ClientCertMissing)), "client-cert-required", None)]
    #[case::nothing(false, None, ON_DEMAND, None)]
    fn a_client_tells_what_was_demanded(
        #[case] asked_late: bool,
        #[case] refused: Option<(Party, Cause)>,
        #[case] listener: &str,
        #[case] outcome: Option<LateDemand>,
    ) {
        let told = of_cell(&cell("good-client-cert", listener, asked_late, refused));
        assert_eq!(told.as_ref().map(|told| told.outcome), outcome);
        let Some(told) = told else { return };
        assert_eq!((told.gateway.as_deref(), told.listener.as_deref()), (Some("nginx"), Some(listener)));
        assert_eq!((told.path.as_str(), told.witness), ("/", Witness::Client));
    }

    #[test]
    fn of_the_two_the_gateway_s_log_counts() {
        let mut cell = cell("secure-path", ON_DEMAND, true, None);
        assert_eq!(of_cell(&cell).unwrap().path, "/secure");
        cell.gateway_said = vec![
            "GET / 200".to_owned(),
            "nonce=a path=/r/1/a/orders status=200 method=PUT tls=TLSv1.2 http=HTTP/1.1 late=missing"
                .to_owned(),
        ];
        let told = of_cell(&cell).unwrap();
        assert_eq!(
            (told.path.as_str(), told.outcome, told.witness),
            ("/orders", LateDemand::Missing, Witness::Gateway)
        );
    }

    #[rstest]
    #[case("listener=default client=127.0.0.1:1 cause=reset party=client")]
    #[case("{}")]
    #[case(r#"{"OperationId":"GET /"}"#)]
    #[case("GET / 200")]
    fn other_lines_tell_nothing(#[case] line: &str) {
        assert_eq!(of_line(line), None);
    }
}
