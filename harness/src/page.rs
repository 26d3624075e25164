//! Pages and other faces of an answer: which one a caller wants, and what every page has in common: its colours and controls,
//! and a policy that lets nothing in but what is in it.

use hyper::{HeaderMap, header::ACCEPT};
use openssl::base64;
use sha2::{Digest, Sha256};

/// The colours, light and dark, the type faces, and what people filter with.
pub(crate) const THEME: &str = include_str!("page/theme.css");

/// What scripts build pages with; it comes before theirs.
pub(crate) const ELEMENTS: &str = include_str!("page/elements.js");

/// What a browser compares a script or style sheet with (CSP level 3, 2.3.1).
pub(crate) fn digest(text: &str) -> String {
    format!("sha256-{}", base64::encode_block(&Sha256::digest(text)))
}

/// The form in which a caller wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// `text/plain`
    Text,
    /// `text/html`
    Page,
    /// `application/json`
    Json,
}

impl Face {
    /// The form that a caller likes best (RFC 9110 12.5.1), the one it names most precisely among equals; text if it does not
    /// say.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let ranges: Vec<&str> = headers
            .get_all(ACCEPT)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        let liked = |face: Self| {
            let most_precise = ranges.iter().filter_map(|range| face.liked(range)).max();
            most_precise.map_or((0, 0), |(precision, weight)| (weight, precision))
        };
        let mut best = Self::Text;
        for face in [Self::Page, Self::Json] {
            if liked(face) > liked(best) {
                best = face;
            }
        }
        best
    }

    /// How precisely a range names it, and its weight in thousandths; none if it does not fit.
    fn liked(self, range: &str) -> Option<(u8, u16)> {
        let mut parts = range.split(';').map(str::trim);
        let (kind, subkind) = match self {
            Self::Text => ("text", "plain"),
            Self::Page => ("text", "html"),
            Self::Json => ("application", "json"),
        };
        let precision = match parts.next()?.to_ascii_lowercase().split_once('/')? {
            ("*", "*") => 0,
            (first, "*") if first == kind => 1,
            (first, second) if (first, second) == (kind, subkind) => 2,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        // Three digits at most (RFC 9110 12.4.2).
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        Some((precision, (weight.clamp(0.0, 1.0) * 1000.0) as u16))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Face::Text)]
    #[case(Some("*/*"), Face::Text)]
    #[case(Some("application/json"), Face::Json)]
    #[case(Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Face::Page)]
    #[case(Some("text/html,*/*"), Face::Page)]
    #[case(Some("text/html;q=0.5, application/json"), Face::Json)]
    #[case(Some("text/*, application/json;q=0"), Face::Text)]
    #[case(Some("image/png"), Face::Text)]
    fn the_form_that_is_liked_best_is_what_comes(#[case] accept: Option<&str>, #[case] face: Face) {
        let headers = accept.map(|accept| (ACCEPT, accept.parse().unwrap()));
        assert_eq!(Face::accepted(&headers.into_iter().collect()), face);
    }
}
