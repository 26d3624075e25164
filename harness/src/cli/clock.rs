//! Time and chance: what everything else takes as arguments is read here.

use std::time::Instant;

use time::OffsetDateTime;
use tls_gauntlet_certs::hex;

use super::failure::{Failure, work_error};

/// The time of day.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The clock of the machine beside one that nobody can move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    now: OffsetDateTime,
    began: Instant,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin() -> Self {
        Self { now: now(), began: Instant::now() }
    }

    /// What is wrong, if the clock was moved since.
    pub(super) fn moved(self) -> Option<String> {
        moved(now() - self.now, self.began.elapsed())
    }
}

/// By the clock so much has passed, and by the other so much.
fn moved(by_clock: time::Duration, passed: std::time::Duration) -> Option<String> {
    /// A clock that is kept in step over a network moves by less.
    const MOST: time::Duration = time::Duration::seconds(2);
    let step = by_clock - time::Duration::try_from(passed).unwrap_or(time::Duration::MAX);
    (step.abs() > MOST).then(|| {
        format!(
            "the clock of this machine was moved by {} s meanwhile, so that no certificate was valid when it had to be; run \
             again",
            step.whole_seconds()
        )
    })
}

/// The seed that was asked for, or one from the system's random numbers.
pub(super) fn seed(asked: Option<u64>) -> Result<u64, Failure> {
    if let Some(seed) = asked {
        return Ok(seed);
    }
    let mut bytes = [0; 4];
    openssl::rand::rand_bytes(&mut bytes)
        .map_err(|error| work_error!("cannot get random numbers for a seed: {error}; pass --seed"))?;
    // 32 bits: short enough to be typed again, and exact in every JSON reader.
    Ok(u32::from_be_bytes(bytes).into())
}

/// A word that nobody guesses.
pub(super) fn secret() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes).map_err(|error| {
        work_error!(
            "cannot get random numbers for the address of the page: {error}; pass --control ADDR:PORT"
        )
    })?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(10.0, 10.0, None)]
    #[case(11.0, 10.0, None)]
    #[case(-172_790.0, 10.0, Some("moved by -172800 s"))]
    #[case(172_810.0, 10.0, Some("moved by 172800 s"))]
    fn a_step_is_noticed(#[case] by_clock: f64, #[case] passed: f64, #[case] told: Option<&str>) {
        let step = moved(time::Duration::seconds_f64(by_clock), std::time::Duration::from_secs_f64(passed));
        assert_eq!(step.is_some(), told.is_some(), "{step:?}");
        assert!(step.is_none_or(|step| step.contains(told.unwrap_or_default())));
    }
}
