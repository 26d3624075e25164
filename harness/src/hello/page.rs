//! What clients offered, as a page: one file, nothing beside it, nothing that runs.

use minijinja::{AutoEscape, Environment, Value, context};

use super::Heard;

const TEMPLATE: &str = include_str!("page.html.j2");

/// The style sheet of the page; a policy allows it by its digest.
pub(crate) const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
                     th{text-align:left;vertical-align:top;padding-right:1em;white-space:nowrap}\
                     td{overflow-wrap:anywhere}code{font-size:.9em}";

/// One caller.
pub(super) fn one(heard: &Heard) -> String {
    let offered = &heard.offered;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let rows = [
        ("Outcome", outcome(heard)),
        ("Versions", versions(heard)),
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
    let title = heard.id.map_or_else(|| "ClientHello".to_owned(), |id| format!("ClientHello {id}"));
    page(context! { title, id => heard.id, rows, lacks => heard.lacks })
}

/// All callers, the latest first.
pub(crate) fn list(all: &[Heard]) -> String {
    let callers: Vec<_> = all
        .iter()
        .rev()
        .map(|heard| {
            let (versions, outcome) = (versions(heard), outcome(heard));
            context! { id => heard.id, backend => heard.backend, versions, ja4 => heard.offered.ja4, outcome }
        })
        .collect();
    page(context! { title => "ClientHellos, latest first", callers })
}

fn outcome(heard: &Heard) -> String {
    match (&heard.agreed, &heard.failure) {
        (Some(agreed), _) => {
            let rest = [&agreed.cipher, &agreed.group, &agreed.alpn].into_iter().flatten();
            let parts: Vec<&str> =
                std::iter::once(agreed.version.as_str()).chain(rest.map(String::as_str)).collect();
            format!("agreed on {}", parts.join(", "))
        }
        (None, Some(failure)) => format!("the handshake failed: {failure}"),
        (None, None) => "no handshake".to_owned(),
    }
}

fn versions(heard: &Heard) -> String {
    heard.offered.versions.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn page(content: Value) -> String {
    let mut page = Environment::new();
    page.set_auto_escape_callback(|_| AutoEscape::Html);
    page.set_trim_blocks(true);
    page.set_lstrip_blocks(true);
    // A terminal obeys control characters, also where they are in a page.
    page.add_filter("plain", |text: String| text.replace(char::is_control, "\u{fffd}"));
    let content = context! { style => Value::from_safe_string(STYLE.to_owned()), ..content };
    page.render_str(TEMPLATE, content).expect("the template is compiled in and fits its content")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_hello;

    #[test]
    fn what_callers_say_cannot_become_a_tag() {
        let mut offered = client_hello::facts(&[]);
        offered.server_name = Some("<script>alert(\"x\")</script>".to_owned());
        offered.alpn = vec!["a&b\u{1b}[2J".to_owned()];
        let failure = Some("no <shared> cipher".to_owned());
        let heard = Heard { id: Some(7), failure, ..Heard::new(Some("plain-good"), None, &offered) };
        let page = one(&heard) + &list(&[heard]);
        assert!(
            !page.contains("<script") && !page.contains("<shared>") && !page.contains('\u{1b}'),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;") && page.contains("a&amp;b"), "{page}");
        assert!(page.contains("Cannot reach TLS 1.3-only servers"), "{page}");
        assert!(page.contains("<a href=\"hello/7\">7</a>"), "{page}");
    }
}
