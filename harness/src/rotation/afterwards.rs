//! What becomes of the old certificate once the change is over.

use std::sync::Arc;

use tls_gauntlet_certs::{ClientCertificate, Identity, Pki};
use tls_gauntlet_scenarios::{Cause, Diagnosis, Evidence, Outcome};
use tokio::time::{Instant, timeout};

use super::{
    Change, cannot,
    record::Old,
    stage::{Part, Stage, revocation},
};
use crate::{
    client::{DialerSettings, Probe, Target},
    gateway::{BACKEND_NAME, GATEWAY_NAME},
    runner::{RunError, testimony},
    wire::nonce::Nonce,
};

/// How often the old one must be refused in a row before it counts as refused.
const IN_A_ROW: usize = 10;

/// Tries the old certificate where it has to be refused now.
pub(super) async fn try_the_old_one(stage: &mut Stage<'_>) -> Result<Old, RunError> {
    match stage.change {
        Change::BackendCertificate => match revocation(stage.gateway) {
            Ok(()) => refused_by_gateway(stage, Cause::ServerCertRevoked).await,
            Err(because) => Ok(Old::NotAsked { because }),
        },
        Change::BackendAuthority | Change::TrustStore => {
            refused_by_gateway(stage, Cause::ServerCertUntrusted).await
        }
        Change::ClientCertificate | Change::AccessDenied | Change::VersionDisabled => {
            refused_by_backend(stage).await
        }
    }
}

/// The backend that stayed behind has to be refused, for this reason. The last reload may still be on its way through the
/// gateway's workers.
async fn refused_by_gateway(stage: &mut Stage<'_>, cause: Cause) -> Result<Old, RunError> {
    let probe = Probe::sound(GATEWAY_NAME, &stage.plan.pki).map_err(cannot)?;
    let deadline = Instant::now() + stage.request.limits.settle;
    let mut row = 0;
    while row < IN_A_ROW {
        let nonce = stage.next_nonce();
        let seen = through_gateway(stage, &probe, nonce).await?;
        row = if is_refused(&seen, cause) { row + 1 } else { 0 };
        if row == 0 && Instant::now() > deadline {
            return Ok(Old::NotRefused { because: in_words(&seen) });
        }
    }
    Ok(Old::Refused { cause })
}

/// One call to the backend that stayed behind, and what the three witnesses say of it.
async fn through_gateway(stage: &Stage<'_>, probe: &Probe, nonce: Nonce) -> Result<Diagnosis, RunError> {
    let stayed = &stage.fleet.backends()[Part::StaysBehind as usize];
    let before = stayed.ledger().len();
    let target = Target {
        address: stage.caller()?.address,
        host: GATEWAY_NAME.to_owned(),
        path: format!("{}{nonce}", stage.paths[Part::StaysBehind as usize]),
        nonce: nonce.to_string(),
    };
    let client_saw = probe.get(&target).await;
    // If no connection came, the backend has no say.
    let _ = timeout(stage.request.limits.settle, stayed.recorded(before + 1)).await;
    let (gateway_said, gateway_causes) =
        testimony(stage.gateway, &stage.running.log(), nonce, stayed.address());
    let backend_saw = stayed.ledger_since(before);
    let evidence = Evidence { client_saw, backend_saw, gateway_said, gateway_causes, ..Evidence::default() };
    Ok(Diagnosis::of(&evidence, false))
}

/// A client with the old certificate has to be refused, and one with the new certificate let in.
async fn refused_by_backend(stage: &Stage<'_>) -> Result<Old, RunError> {
    let client = |pki: &Pki| pki.client(ClientCertificate::Good).map_err(cannot);
    let new = directly(stage, client(&stage.generations.new)?).await?;
    if new.outcome != Outcome::Reach {
        let because = format!("the new one does not come through either: {}", in_words(&new));
        return Ok(Old::NotRefused { because });
    }
    let old = directly(stage, client(&stage.generations.old)?).await?;
    let cause = Cause::ClientCertUntrusted;
    Ok(if is_refused(&old, cause) {
        Old::Refused { cause }
    } else {
        Old::NotRefused { because: in_words(&old) }
    })
}

/// One call to the backend that changes, by our own client with this certificate.
async fn directly(stage: &Stage<'_>, identity: Arc<Identity>) -> Result<Diagnosis, RunError> {
    let backend = &stage.fleet.backends()[Part::Called as usize];
    let settings =
        DialerSettings { identity: Some(identity), ..DialerSettings::sound(BACKEND_NAME, &stage.plan.pki) };
    let probe = Probe::new(&settings, stage.request.limits).map_err(cannot)?;
    let before = backend.ledger().len();
    let target = Target { host: BACKEND_NAME.to_owned(), ..Target::at(backend.address()) };
    let client_saw = probe.get(&target).await;
    let _ = timeout(stage.request.limits.settle, backend.recorded(before + 1)).await;
    let backend_saw = backend.ledger_since(before);
    Ok(Diagnosis::of(&Evidence { client_saw, backend_saw, ..Evidence::default() }, true))
}

fn is_refused(seen: &Diagnosis, cause: Cause) -> bool {
    seen.outcome == Outcome::Refuse && seen.allows(cause)
}

fn in_words(seen: &Diagnosis) -> String {
    match seen.outcome {
        Outcome::Reach => "it came through".to_owned(),
        Outcome::Refuse => {
            format!("it was refused, but for {}", seen.cause.map_or("no known reason", Cause::as_str))
        }
    }
}
