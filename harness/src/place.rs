//! Where something stands in a text that somebody wrote, and what is wrong with it.

use tls_gauntlet_scenarios::nearest;

/// Line and column of a place in a text, both from 1.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Offset and message of a mistake in a TOML file; a key that is mistyped comes with the one that is meant.
pub(crate) fn mistake(text: &str, error: &toml::de::Error) -> (usize, String) {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    // serde quotes what was found first and then all that was expected.
    let mut quoted = message.split('`').skip(1).step_by(2);
    let hint = match quoted.next() {
        Some(found) if message.starts_with("unknown ") => nearest::hint(found, quoted),
        Some(_) | None => String::new(),
    };
    let offset = span.start.min(text.len());
    (offset, format!("{message}{hint}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(rename = "gateways")]
        _gateways: Vec<String>,
    }

    #[rstest]
    #[case("x", (1, 2), "")]
    #[case("\n  gatways = []", (2, 3), "unknown field `gatways`, expected `gateways`; did you mean \"gateways\"?")]
    #[case("\n\nsomething = []", (3, 1), "unknown field `something`, expected `gateways`")]
    #[case("gateways = 1", (1, 12), "invalid type: integer `1`, expected a sequence")]
    fn a_mistake_has_its_place_and_the_word_that_was_meant(
        #[case] text: &str,
        #[case] place: (usize, usize),
        #[case] told: &str,
    ) {
        let error = toml::from_str::<File>(text).unwrap_err();
        let (offset, message) = mistake(text, &error);
        assert_eq!(position(text, offset), place);
        assert!(told.is_empty() || message == told, "{message}");
    }
}
