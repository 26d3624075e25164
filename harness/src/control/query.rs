//! The parameters of the ledger, as queries have them.

use std::time::Duration;

use hyper::Uri;

use crate::{http::Problem, wire::nonce::Nonce};

/// The largest number that every JSON reader holds exactly (RFC 8259 6).
pub(super) const EXACT: u64 = (1 << 53) - 1;

/// The longest that the ledger waits, in milliseconds: well below the ten seconds after which many HTTP clients give up.
const LONGEST_WAIT: u64 = 5_000;

/// The longest name of a backend.
const LONGEST_NAME: usize = 200;

/// Which entries of the ledger are asked for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Only those that came after the one with this number.
    pub(super) since: u64,
    /// Only those of this request.
    pub(super) nonce: Option<String>,
    /// Only those of this backend.
    pub(super) backend: Option<String>,
    /// How long to wait for the first one.
    pub(super) wait: Duration,
}

impl Wanted {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        let mut wanted = Self::default();
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let value = value.into_owned();
            match &*key {
                "since" => wanted.since = number("since", &value, EXACT)?,
                "wait_ms" => {
                    wanted.wait = Duration::from_millis(number("wait_ms", &value, LONGEST_WAIT)?);
                }
                "nonce" if Nonce::read(value.as_bytes()).is_some() => wanted.nonce = Some(value),
                "nonce" => {
                    return Err(Problem::bad_request(format!(
                        "\"{value}\" is no nonce; write n- and 16 hexadecimal digits, as in n-0123456789abcdef"
                    )));
                }
                // In a query, + stands for a space, and is part of the name of a composition all the same.
                "backend" => wanted.backend = Some(backend(value.replace(' ', "+"))?),
                key => {
                    return Err(Problem::bad_request(format!(
                        "unknown parameter \"{key}\"; known are since, nonce, backend, wait_ms"
                    )));
                }
            }
        }
        Ok(wanted)
    }
}

/// A whole number, as paths and queries have them.
pub(super) fn number(key: &str, value: &str, most: u64) -> Result<u64, Problem> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_number && *number <= most);
    number.ok_or_else(|| {
        Problem::bad_request(format!("{key} is \"{value}\"; write a whole number from 0 to {most}"))
    })
}

fn backend(name: String) -> Result<String, Problem> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.len() <= LONGEST_NAME && name.split(['-', '+']).all(is_word) {
        Ok(name)
    } else {
        Err(Problem::bad_request(format!(
            "\"{name}\" is no name of a backend; /backends lists those that are up"
        )))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some(Wanted::default()))]
    #[case("since=7&wait_ms=20", Some(Wanted { since: 7, wait: Duration::from_millis(20), ..Wanted::default() }))]
    #[case("nonce=n-0123456789abcdef", Some(Wanted { nonce: Some("n-0123456789abcdef".to_owned()), ..Wanted::default() }))]
    #[case("backend=a%2Bb", Some(Wanted { backend: Some("a+b".to_owned()), ..Wanted::default() }))]
    #[case("backend=a+b", Some(Wanted { backend: Some("a+b".to_owned()), ..Wanted::default() }))]
    #[case("since=-1", None)]
    #[case("since=%2B1", None)]
    #[case("since=9007199254740992", None)]
    #[case("wait_ms=5001", None)]
    #[case("backend=A", None)]
    #[case("backend=", None)]
    #[case("nonce=n-0123", None)]
    #[case("backend=%zz", None)]
    #[case("after=1", None)]
    #[case(&format!("backend={}", "a".repeat(200)), Some(Wanted { backend: Some("a".repeat(200)), ..Wanted::default() }))]
    #[case(&format!("backend={}", "a".repeat(201)), None)]
    fn queries(#[case] query: &str, #[case] wanted: Option<Wanted>) {
        let uri: Uri = format!("/ledger?{query}").parse().unwrap();
        assert_eq!(Wanted::of(&uri).ok(), wanted);
    }
}
