//! One connection that a backend has seen, as a line for whoever watches.

use tls_gauntlet_scenarios::{BackendSaw, Ended};

use super::{
    Look,
    paint::{FAINT, GOOD, ODD, Paint, STRONG},
    text::{count, printable, width_of},
};

/// Time, backend, what was agreed on, the server name, the client certificate, and why it ended as it did. Names are
/// padded to a column of this width; `nobody` is who answers for a name that is nobody's.
#[must_use]
pub fn line(time: &str, backend: Option<&str>, saw: &BackendSaw, column: usize, look: Look) -> String {
    let paint = Paint { colour: look.colour };
    let name = printable(backend.unwrap_or("nobody"));
    let padding = " ".repeat(column.saturating_sub(width_of(&name)));
    let (mark, style) = match why(saw) {
        None => ("✓", GOOD),
        Some(_) => ("⊘", ODD),
    };
    let mut parts = vec![paint.put(FAINT, time), paint.put(style, mark), paint.put(STRONG, &name) + &padding];
    parts.extend(facts(saw));
    parts.extend(why(saw).map(|why| paint.put(ODD, &printable(&why))));
    parts.join("  ").trim_end().to_owned()
}

fn facts(saw: &BackendSaw) -> Vec<String> {
    let known = saw.client_certificate.map(|certificate| format!("client {certificate}"));
    let shown = known.or_else(|| saw.client_chain.first().map(|leaf| format!("client {}", printable(leaf))));
    let facts = [
        saw.tls_version.map(|version| version.to_string()),
        saw.cipher.clone(),
        saw.alpn.as_deref().map(printable),
        saw.sni.as_deref().map(|name| format!("sni {}", printable(name))),
        shown,
        (saw.renegotiations > 0)
            .then(|| count(usize::try_from(saw.renegotiations).unwrap_or(usize::MAX), "renegotiation")),
        saw.resumed.then(|| "resumed".to_owned()),
    ];
    facts.into_iter().flatten().collect()
}

/// Why it did not end well; none if it did.
fn why(saw: &BackendSaw) -> Option<String> {
    let what = match (saw.cause, saw.alert_received, saw.alert_sent) {
        (Some(cause), ..) => cause.to_string(),
        (None, Some(alert), _) => format!("{alert} received"),
        (None, None, Some(alert)) => format!("{alert} sent"),
        (None, None, None) => match saw.ended {
            Ended::Cleanly => return None,
            ended => ended.to_string(),
        },
    };
    let error = saw.error.as_deref().map_or_else(String::new, |error| format!(" ({error})"));
    Some(format!("{what} in phase {}{error}", saw.phase))
}

#[cfg(test)]
mod tests {
    use tls_gauntlet_scenarios::{Alert, Cause, ClientCertificate, Handling, Phase, TlsVersion};

    use super::*;

    fn saw() -> BackendSaw {
        BackendSaw {
            outcome: Handling::Accepted,
            tls_version: Some(TlsVersion::Tls12),
            cipher: Some("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384".to_owned()),
            group: Some("x25519".to_owned()),
            alpn: Some("http/1.1".to_owned()),
            sni: Some("localhost".to_owned()),
            client_certificate: Some(ClientCertificate::Good),
            renegotiations: 1,
            requests: 1,
            phase: Phase::Close,
            ended: Ended::Cleanly,
            duration_ms: 4,
            ..BackendSaw::default()
        }
    }

    fn refused(sni: &str, cause: Option<Cause>, error: &str) -> BackendSaw {
        BackendSaw {
            outcome: Handling::Refused,
            tls_version: None,
            cipher: None,
            alpn: None,
            sni: Some(sni.to_owned()),
            client_certificate: None,
            renegotiations: 0,
            phase: Phase::Handshake,
            ended: Ended::AlertReceived,
            alert_received: cause.is_none().then_some(Alert::CertificateExpired),
            cause,
            error: (!error.is_empty()).then(|| error.to_owned()),
            ..saw()
        }
    }

    fn lines(look: Look) -> String {
        let seen = [
            (Some("renegotiation-required"), saw()),
            (Some("expired-leaf"), refused("localhost", None, "tlsv1 alert certificate expired")),
            (None, refused("plane-good\u{1b}[2J", Some(Cause::SniUnknown), "unknown backend \"plane-good\"")),
        ];
        let lines: Vec<_> =
            seen.iter().map(|(backend, saw)| line("12:00:03", *backend, saw, 22, look)).collect();
        lines.join("\n")
    }

    #[test]
    fn a_connection_is_a_line() {
        insta::assert_snapshot!("line", lines(Look::default()));
        let coloured = lines(Look { colour: true, ..Look::default() });
        insta::assert_snapshot!("line-coloured", coloured.replace('\u{1b}', "ESC"));
    }
}
