//! Serial numbers: unique, positive, and the same whenever the same is asked for.

use openssl::sha::Sha256;
use rcgen::SerialNumber;
use time::OffsetDateTime;

/// Where serial numbers come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serials {
    seed: u64,
    now: i64,
}

impl Serials {
    pub(crate) fn new(seed: u64, now: OffsetDateTime) -> Self {
        Self { seed, now: now.unix_timestamp() }
    }

    /// The serial number of the certificate that these words describe.
    ///
    /// The clock is part of it, because an authority that is opened again tomorrow issues other leaves for the
    /// same names, and an issuer must not use a number twice (RFC 5280 4.1.2.2).
    pub(crate) fn of<'a>(self, words: impl IntoIterator<Item = &'a str>) -> SerialNumber {
        let mut hash = Sha256::new();
        hash.update(&self.seed.to_be_bytes());
        hash.update(&self.now.to_be_bytes());
        for word in words {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            hash.update(&word.len().to_be_bytes());
            hash.update(word.as_bytes());
        }
        let mut number = hash.finish()[..16].to_vec();
        // Positive (highest bit clear) and always 16 bytes long (next bit set).
        number[0] = number[0] & 0x7f | 0x40;
        number.into()
    }
}
