//! Operations that ask late, for a terminal.

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, Paint, STRONG},
    text::{printable, width_of, wrap},
};
use crate::late::{LateReport, Operation, Tally, Witness};

/// A line for each operation and each thing that came of it, and the answer below.
#[must_use]
pub fn render(late: &LateReport, look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut lines = Vec::new();
    if !late.operations.is_empty() {
        lines.extend(table(&late.operations, paint));
        lines.push(String::new());
    }
    lines.push(format!("Is it safe to enable TLS 1.3 towards clients? {}", answer(late.safe, paint)));
    for reason in &late.because {
        lines.extend(wrap(reason, look.width, 0, 0));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn answer(safe: bool, paint: Paint) -> String {
    if safe { paint.put(GOOD, "as far as these requests show, yes") } else { paint.put(BAD, "no") }
}

fn table(operations: &[Operation], paint: Paint) -> Vec<String> {
    let head = ["operation", "at", "TLS", "HTTP", "times", "client certificate"].map(str::to_owned);
    let mut rows = vec![head];
    for operation in operations {
        rows.extend(operation.demands.iter().map(|tally| row(operation, tally)));
    }
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| width_of(&row[column])).max().unwrap_or(0)).collect();
    let laid_out = rows.iter().enumerate().map(|(number, row)| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let line: String =
            cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - width_of(cell) + 2))).collect();
        paint.put(if number == 0 { FAINT } else { STRONG }, line.trim_end())
    });
    laid_out.collect()
}

fn row(operation: &Operation, tally: &Tally) -> [String; 6] {
    let at = [&operation.gateway, &operation.listener];
    let at: Vec<&str> = at.into_iter().flatten().map(String::as_str).collect();
    let seen = match tally.witness {
        Witness::Gateway => "",
        Witness::Client => " (says the client)",
    };
    [
        printable(&format!("{} {}", operation.method, operation.path)),
        printable(&at.join("/")),
        tally.tls_version.to_string(),
        printable(tally.http_version.trim_start_matches("HTTP/")),
        tally.times.to_string(),
        format!("{}{seen}", tally.outcome),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_late_is_counted_by_method_and_path() {
        let log = [
            "nonce=a path=/r/1/a/orders status=200 method=POST tls=TLSv1.2 http=HTTP/1.1 late=given",
            "nonce=b path=/r/1/b/orders status=200 method=POST tls=TLSv1.2 http=HTTP/1.1 late=given",
            "nonce=c path=/r/1/c/orders status=403 method=POST tls=TLSv1.3 http=HTTP/2.0 late=not-asked",
            "nonce=d path=/r/1/d/users status=403 method=GET tls=TLSv1.2 http=HTTP/1.1 late=missing",
            "nonce=e path=/r/1/e/users status=200",
        ];
        let late = LateReport::of_log(log).unwrap();
        assert!(!late.safe);
        insta::assert_snapshot!(render(&late, &Look::default()));
    }

    #[test]
    fn where_nothing_asks_late_nothing_speaks_against_it() {
        let late = LateReport::of_log(["nonce=e path=/r/1/e/users status=200"]).unwrap();
        assert!(late.safe);
        insta::assert_snapshot!(render(&late, &Look::default()));
    }
}
