//! Commands that have another name now: the old name answers with the new one.

use super::failure::{Failure, input_error};

/// The old name, the new one, and a line to type.
const RENAMED: &[(&str, &str, &str)] = &[
    ("late", "report --format late", "gauntlet report --format late RECORD"),
    ("hello", "serve accepts-everything", "gauntlet serve accepts-everything"),
    ("presets", "list presets, scan --as and what-if --clients", "gauntlet scan HOST:PORT --as all"),
    ("profile", "azure", "gauntlet azure import FILE"),
    ("baseline", "report --accept", "gauntlet report RECORD --accept REASON"),
];

/// The error for a command line whose command has another name now.
pub(super) fn renamed<'a>(words: impl Iterator<Item = &'a str>) -> Option<Failure> {
    let mut words = words.skip_while(|word| word.starts_with('-'));
    let command = words.next()?;
    let (old, new, line) = RENAMED.iter().find(|(old, ..)| *old == command)?;
    Some(input_error!("`{old}` is `{new}` now: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_answers_with_the_new_one() {
        let told = |line: &str| renamed(line.split(' ')).map(|failure| failure.to_string());
        assert_eq!(
            told("late run.json").as_deref(),
            Some("`late` is `report --format late` now: gauntlet report --format late RECORD")
        );
        assert!(told("--color=never profile import x").is_some_and(|told| told.contains("gauntlet azure")));
        assert_eq!(told("report late"), None);
    }
}
