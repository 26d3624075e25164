//! The known name that somebody who mistyped one probably meant.

/// `; did you mean "…"?` where a known name is near, nothing otherwise.
#[must_use]
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean \"{known}\"?"))
}

/// The longest text that is compared, in bytes: far beyond every name.
const LONGEST: usize = 256;

/// The nearest of the known names, unless even that one is far.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Beyond this, no name was mistyped, and the work grows with the square of the length.
    if name.len() > LONGEST {
        return None;
    }
    let (steps, nearest) = known.into_iter().map(|known| (strsim::osa_distance(name, known), known)).min()?;
    (steps <= 3.max(name.len() / 3) && steps < name.len()).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ngnix", Some("nginx"))]
    #[case("htlm", Some("html"))]
    #[case("azure-apim-clasic@2025-08", Some("azure-apim-classic@2025-08"))]
    #[case("no", None)]
    #[case("something-else-altogether", None)]
    fn a_name_that_is_near_is_meant(#[case] name: &str, #[case] meant: Option<&str>) {
        let known = ["haproxy", "nginx", "html", "azure-apim-classic@2024-07", "azure-apim-classic@2025-08"];
        assert_eq!(nearest(name, known), meant);
    }

    #[test]
    fn a_text_that_is_no_name_is_not_compared() {
        let known = "n".repeat(LONGEST + 1);
        assert_eq!(nearest(&"n".repeat(LONGEST + 1), [known.as_str()]), None);
    }
}
