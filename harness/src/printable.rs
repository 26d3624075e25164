//! Text of others on its way to a terminal, a page or the log of a pipeline: whatever those would take for a command is spelled
//! out.
//!
//! Control characters move a cursor and change a title, bidirectional ones show text in another order than it has (CVE-2021-42574),
//! and a pipeline obeys lines that begin with `::error::` or hold `##vso[`. They are spelled as JSON spells them, so that JSON stays
//! what it was.

use std::{borrow::Cow, fmt::Write};

use crate::limits::MESSAGE;

/// What Azure Pipelines, `TeamCity` and older runners of GitHub take for commands, wherever it stands in a line.
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// Whether a terminal obeys the character, or shows what follows it elsewhere. Line ends and tabs are neither.
pub(crate) const fn is_command(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        // C0, DEL and C1 (ECMA-48); line and paragraph separators.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => true,
        // Unicode Standard Annex 9, section 2.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => false,
    }
}

/// The text with everything spelled out that would be a command: `\u001b[2J`. Most text is as it was.
#[must_use]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if is_printable(text) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("::") {
            spelled.push('\\');
        }
        for letter in line.chars() {
            if is_command(letter) {
                let _ = write!(spelled, "\\u{:04x}", u32::from(letter));
            } else {
                spelled.push(letter);
            }
        }
    }
    for command in COMMANDS {
        if spelled.contains(command) {
            spelled = spelled.replace(command, &command.replacen("##", "#\\u0023", 1));
        }
    }
    Cow::Owned(spelled)
}

fn is_printable(text: &str) -> bool {
    !text.contains(is_command)
        && !COMMANDS.iter().any(|command| text.contains(command))
        && !text.lines().any(|line| line.trim_start().starts_with("::"))
}

/// The same as one line: ends of lines and tabs are spelled out too, and trailing space is left out.
#[must_use]
pub(crate) fn line(text: &str) -> String {
    let text = text.trim_end();
    if text.contains(['\n', '\t']) {
        printable(&text.replace('\n', "\\n").replace('\t', "\\t")).into_owned()
    } else {
        printable(text).into_owned()
    }
}

/// The same for text that holds our own colours (ECMA-48 8.3.117, SGR), which stay.
#[must_use]
pub(crate) fn painted(text: &str) -> Cow<'_, str> {
    const ESCAPE: &str = "\x1b[";
    if !text.contains(ESCAPE) {
        return printable(text);
    }
    let mut parts = text.split(ESCAPE);
    let mut whole = printable(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        match end.and_then(|end| Some((&part[..end], part[end..].strip_prefix('m')?))) {
            Some((numbers, rest)) => {
                let _ = write!(whole, "{ESCAPE}{numbers}m{}", printable(rest));
            }
            None => {
                let _ = write!(whole, "\\u001b[{}", printable(part));
            }
        }
    }
    Cow::Owned(whole)
}

/// A message that is no longer than somebody will read: its beginning, and its end, where the remedy is.
#[must_use]
pub(crate) fn message(text: &str) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= MESSAGE {
        return printable(text);
    }
    let tail = MESSAGE / 4;
    let place = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(place, _)| place);
    let (head, end) = (&text[..place(MESSAGE - tail)], &text[place(count - tail)..]);
    Cow::Owned(printable(&format!("{head} … ({} characters left out) … {end}", count - MESSAGE)).into_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain\n\ttext … ü", "plain\n\ttext … ü")]
    #[case("\x1b[2J\x07", "\\u001b[2J\\u0007")]
    #[case("a\u{9b}2Jb\rc", "a\\u009b2Jb\\u000dc")]
    #[case("\u{202e}gnp.exe", "\\u202egnp.exe")]
    #[case("::error::x\n  ::set-output name=a::b\na::b", "\\::error::x\n\\  ::set-output name=a::b\na::b")]
    #[case("x ##vso[task.complete] ##[error]", "x #\\u0023vso[task.complete] #\\u0023[error]")]
    fn commands_are_spelled_out(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(printable(text), shown);
        assert!(is_printable(&printable(text)));
    }

    #[test]
    fn a_line_cannot_take_over_the_terminal() {
        assert_eq!(line("\u{1b}[2Jgone\r\n"), "\\u001b[2Jgone");
        assert_eq!(line("a\n::error::b\tc"), "a\\n::error::b\\tc");
    }

    /// Whatever is spelled out, JSON reads the same.
    #[test]
    fn json_stays_what_it_was() {
        let text = "\u{202e}\u{85}\u{7f} ##vso[x] \\ \"quoted\"\n::error::";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let shown = printable(&json);
        assert!(is_printable(&shown));
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [text]);
    }

    #[test]
    fn our_own_colours_stay() {
        assert_eq!(painted("\x1b[1;31mred\x1b[0m\x07"), "\x1b[1;31mred\x1b[0m\\u0007");
        assert_eq!(painted("\x1b[2J\x1b[31"), "\\u001b[2J\\u001b[31");
        assert_eq!(painted("\x1b]0;title\x07"), "\\u001b]0;title\\u0007");
    }

    #[test]
    fn a_long_message_keeps_its_beginning_and_its_remedy() {
        let text = format!("unknown name \"{}\"; pass another", "ü".repeat(200_000));
        let told = message(&text);
        assert!(told.chars().count() < MESSAGE + 100);
        assert!(told.starts_with("unknown name \"ü") && told.ends_with("\"; pass another"));
        assert_eq!(message("short"), "short");
    }
}
