//! The nonce of a request, which joins what client, backend and log say of one call: `n-` and 16 hexadecimal digits.

use std::fmt;

/// 64 bits that no other request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Nonce(pub(crate) u64);

impl Nonce {
    /// The request header that carries it where the path does not.
    pub(crate) const HEADER: &'static str = "x-gauntlet-nonce";
    const DIGITS: usize = 16;

    /// Every nonce in a text, in order.
    pub(crate) fn all_in(text: &[u8]) -> impl DoubleEndedIterator<Item = Self> {
        text.windows(2 + Self::DIGITS).filter_map(Self::read)
    }

    /// The nonce that a text is, if it is one.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"n-").filter(|digits| digits.len() == Self::DIGITS)?;
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(u64::from(digit - b'0')),
            b'a'..=b'f' => Some(u64::from(digit - b'a') + 10),
            _ => None,
        };
        digits.iter().try_fold(0, |number, digit| Some(number << 4 | value(*digit)?)).map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n-{:0width$x}", self.0, width = Self::DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/a/n-0123456789abcdef", Some("n-0123456789abcdef"))]
    #[case("/n-0000000000000000/x/n-00000000000000ff/y", Some("n-00000000000000ff"))]
    #[case("/n-0123456789ABCDEF", None)]
    #[case("/n-0123456789abcde", None)]
    #[case("", None)]
    fn the_last_nonce_of_a_path(#[case] path: &str, #[case] last: Option<&str>) {
        let found = Nonce::all_in(path.as_bytes()).next_back();
        assert_eq!(found.map(|nonce| nonce.to_string()).as_deref(), last);
    }
}
