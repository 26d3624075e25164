//! Time and chance: what everything else takes as arguments is read here.

use time::OffsetDateTime;
use tls_gauntlet_certs::hex;

use super::failure::{Failure, work_error};

/// The time of day.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
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
