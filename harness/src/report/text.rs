//! Lays text out in columns and lines. Everything here counts characters before colours are put on.

pub(crate) use crate::printable::line as printable;

/// The text in lines of at most `width` characters, the second and later ones indented by `hanging`. A word that is
/// longer than a line gets one of its own, unbroken: the names of cells must survive being copied.
pub(crate) fn wrap(text: &str, width: usize, first: usize, hanging: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = first;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = width_of(word);
        if !line.is_empty() && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = hanging;
        }
        if !line.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    let hang = " ".repeat(hanging);
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, &hang);
    }
    lines
}

/// The items, `gap` apart, in lines of at most `width` characters; no item is broken.
pub(crate) fn flow(items: &[String], gap: &str, width: usize) -> Vec<Vec<usize>> {
    let mut lines: Vec<Vec<usize>> = vec![Vec::new()];
    let mut used = 0;
    for (index, item) in items.iter().enumerate() {
        let length = width_of(item);
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push(index);
            used = length;
        } else if used + width_of(gap) + length <= width {
            line.push(index);
            used += width_of(gap) + length;
        } else {
            lines.push(vec![index]);
            used = length;
        }
    }
    lines
}

pub(crate) fn width_of(text: &str) -> usize {
    text.chars().count()
}

/// The name of a cell as a relative reference or as a fragment: the characters that both leave as they are stay (RFC
/// 3986 4.2 and 3.5; the first segment, the suite, has no colon).
pub(crate) fn percent_encoded(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:+@,=".contains(&byte);
    let encode = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    id.bytes().map(encode).collect()
}

/// Seconds with as many digits as matter.
pub(crate) fn seconds(milliseconds: u64) -> String {
    let digits = if milliseconds < 10_000 { 2 } else { 1 };
    let rounded = std::time::Duration::from_millis(milliseconds).as_secs_f64();
    format!("{rounded:.digits$} s")
}

/// `1 cell`, `2 cells`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_only() {
        assert_eq!(wrap("aa bb ccccccccc d", 6, 0, 2), ["aa bb", "  ccccccccc", "  d"]);
        assert_eq!(wrap("aa bb", 6, 4, 2), ["aa", "  bb"]);
        assert_eq!(wrap("", 6, 0, 2), [""]);
    }

    #[test]
    fn items_stay_whole() {
        let items: Vec<String> = ["aaa", "bbb", "ccccccc"].map(str::to_owned).into();
        assert_eq!(flow(&items, "  ", 8), [vec![0, 1], vec![2]]);
    }
}
