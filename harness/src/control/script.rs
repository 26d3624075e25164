//! A script: what a backend does to its next connections before it is itself again.

use serde::Deserialize;
use tls_gauntlet_scenarios::{Fault, FaultAction};

use crate::http::Problem;

/// The most steps of a script.
const MOST_STEPS: usize = 10;

/// The most connections that one step may be for.
const MOST_TIMES: u8 = 100;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Script {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Step {
    /// What shows; nothing, that is, a sound connection, if absent.
    fault: Option<Fault>,
    /// On how many connections. To JSON Schema, 2.0 is a whole number like any other (Core 6.3).
    #[serde(default = "once")]
    times: f64,
}

const fn once() -> f64 {
    1.0
}

/// The faults of the next connections, in order.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Option<Fault>>, Problem> {
    let script: Script = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is not a script: {error}")))?;
    if script.steps.len() > MOST_STEPS {
        return Err(Problem::bad_request(format!("a script has {MOST_STEPS} steps at most")));
    }
    let mut faults = Vec::new();
    for Step { fault, times } in script.steps {
        if let Some(Fault { at, does }) = fault.filter(|fault| !can_be_scripted(*fault)) {
            return Err(Problem::bad_request(format!("\"{does}\" cannot happen at \"{at}\"")));
        }
        let whole = (1..=MOST_TIMES).find(|&number| times == f64::from(number)).ok_or_else(|| {
            Problem::bad_request(format!("times is {times}; write a whole number from 1 to {MOST_TIMES}"))
        })?;
        faults.extend(std::iter::repeat_n(fault, usize::from(whole)));
    }
    Ok(faults)
}

/// A port that refuses connections does so for good.
fn can_be_scripted(fault: Fault) -> bool {
    fault.makes_sense() && fault.does != FaultAction::RefuseConnection
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};
    use tls_gauntlet_scenarios::FaultPhase;

    use super::*;

    #[test]
    fn a_script_lists_the_connections_to_come() {
        let body = br#"{"steps": [{"fault": {"at": "request", "does": "reset"}, "times": 2}, {}]}"#;
        let reset = Some(Fault { at: FaultPhase::Request, does: FaultAction::Reset });
        assert_eq!(parse(body).unwrap(), [reset, reset, None]);
    }

    #[rstest]
    #[case("{}", "missing field `steps`")]
    #[case(r#"{"steps": [{"times": 0}]}"#, "times is 0")]
    #[case(r#"{"steps": [{"times": 101}]}"#, "times is 101")]
    #[case(r#"{"steps": [{"times": 1.5}]}"#, "times is 1.5")]
    #[case(r#"{"steps": [{},{},{},{},{},{},{},{},{},{},{}]}"#, "10 steps at most")]
    #[case(
        r#"{"steps": [{"fault": {"at": "close", "does": "stall"}}]}"#,
        "\"stall\" cannot happen at \"close\""
    )]
    #[case(
        r#"{"steps": [{"fault": {"at": "accept", "does": "refuse-connection"}}]}"#,
        "\"refuse-connection\" cannot happen at \"accept\""
    )]
    #[case(r#"{"steps": [{"foult": null}]}"#, "unknown field `foult`")]
    fn what_is_no_script_is_refused(#[case] body: &str, #[case] because: &str) {
        let problem = format!("{:?}", parse(body.as_bytes()).unwrap_err());
        assert!(problem.replace('\\', "").contains(because), "{problem}");
    }

    #[test]
    fn the_description_has_every_fault_that_can_be_scripted() {
        let described: Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let of = |does: FaultAction| -> Vec<FaultPhase> {
            let can = |at: &FaultPhase| can_be_scripted(Fault { at: *at, does });
            FaultPhase::ALL.iter().copied().filter(can).collect()
        };
        let faults: Vec<_> = FaultAction::ALL
            .iter()
            .map(|&does| (does, of(does)))
            .filter(|(_, at)| !at.is_empty())
            .map(|(does, at)| {
                json!({
                    "type": "object",
                    "properties": { "does": { "const": does }, "at": { "enum": at } },
                    "required": ["does", "at"],
                    "additionalProperties": false,
                })
            })
            .collect();
        assert_eq!(described["components"]["schemas"]["Fault"]["oneOf"], json!(faults), "{}", json!(faults));
    }
}
