//! The answer as a page: one file, nothing beside it, nothing that runs.

use super::kept::Heard;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
                     th{text-align:left;vertical-align:top;padding-right:1em;white-space:nowrap}\
                     td{overflow-wrap:anywhere}code{font-size:.9em}";

/// One caller.
pub(super) fn one(heard: &Heard) -> String {
    let offered = &heard.offered;
    let versions = offered.versions.as_ref().map(ToString::to_string).unwrap_or_default();
    let outcome = match (&heard.agreed, &heard.failure) {
        (Some(agreed), _) => {
            let version = agreed.version.map_or("", |version| version.as_str());
            let parts =
                [Some(version), Some(&agreed.cipher), agreed.group.as_deref(), agreed.alpn.as_deref()];
            format!("agreed on {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        (None, Some(failure)) => format!("the handshake failed: {failure}"),
        (None, None) => String::new(),
    };
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let rows = [
        ("Outcome", outcome),
        ("Versions", versions),
        ("Cipher suites", offered.ciphers.join(" ")),
        ("Groups", offered.groups.join(" ")),
        ("Key shares", offered.key_shares.join(" ")),
        ("Signature algorithms", offered.signature_algorithms.join(" ")),
        ("Application protocols", offered.alpn.join(" ")),
        ("Server name", offered.server_name.clone().unwrap_or_else(|| "none".to_owned())),
        ("Post-handshake authentication", yes(offered.post_handshake_auth)),
        ("Resumption", yes(offered.offers_resumption)),
        ("Extensions", offered.extensions.join(" ")),
        ("JA3", offered.ja3.clone()),
        ("JA4", offered.ja4.clone()),
        ("Length", format!("{} bytes", offered.length)),
    ];
    let rows: String = rows
        .iter()
        .map(|(label, text)| format!("<tr><th>{label}</th><td><code>{}</code></td></tr>\n", escaped(text)))
        .collect();
    let lacks: String = heard
        .lacks
        .iter()
        .map(|lack| {
            format!("<li>Cannot reach {}: {}.</li>\n", escaped(&lack.servers), escaped(&lack.because))
        })
        .collect();
    let lacks = if lacks.is_empty() {
        "<p>Nothing is missing.</p>\n".to_owned()
    } else {
        format!("<ul>\n{lacks}</ul>\n")
    };
    page(
        &format!("ClientHello {}", heard.id),
        &format!(
            "<table>\n{rows}</table>\n<h2>What is missing</h2>\n{lacks}\
             <p><a href=\"/hello/{}\">this one again</a>, <a href=\"/hello\">all callers</a></p>\n",
            heard.id
        ),
    )
}

/// Everybody.
pub(super) fn list(all: &[Heard]) -> String {
    let rows: String = all
        .iter()
        .rev()
        .map(|heard| {
            let versions = heard.offered.versions.as_ref().map(ToString::to_string).unwrap_or_default();
            let outcome = heard.failure.as_deref().unwrap_or("handshake completed");
            format!(
                "<tr><td><a href=\"/hello/{id}\">{id}</a></td><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
                escaped(&heard.peer),
                escaped(&versions),
                escaped(&heard.offered.ja4),
                escaped(outcome),
                id = heard.id,
            )
        })
        .collect();
    let head = "<tr><th>number</th><th>caller</th><th>versions</th><th>JA4</th><th>outcome</th></tr>\n";
    page("ClientHellos, latest first", &format!("<table>\n{head}{rows}</table>\n"))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// What a caller has said, as text and nothing else.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.extend(letter.escape_default()),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hello::lacks, wire::client_hello};

    #[test]
    fn what_callers_say_cannot_become_a_tag() {
        let mut offered = client_hello::facts(&[]);
        offered.server_name = Some("<script>alert(\"x\")</script>".to_owned());
        offered.alpn = vec!["a&b\u{1b}[2J".to_owned()];
        let lacks = lacks(&offered);
        let heard = Heard {
            id: 7,
            peer: "127.0.0.1".to_owned(),
            agreed: None,
            failure: Some("no <shared> cipher".to_owned()),
            lacks,
            offered,
        };
        let page = one(&heard) + &list(&[heard]);
        assert!(
            !page.contains("<script") && !page.contains("<shared>") && !page.contains('\u{1b}'),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;") && page.contains("a&amp;b"), "{page}");
        assert!(page.contains("Cannot reach TLS 1.3-only servers"), "{page}");
    }
}
