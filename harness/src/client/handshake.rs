//! What one end of a connection knows of its TLS: carried from the observer to failures, answers and the evidence.

use openssl::ssl::SslRef;
use tls_gauntlet_scenarios::{Alert, ClientSaw, TlsVersion};

use crate::wire::observer::Observer;

/// What one end has seen of its TLS connection; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The fatal alert that was received.
    pub alert_received: Option<Alert>,
    /// The fatal alert (or `no_renegotiation`) that was sent.
    pub alert_sent: Option<Alert>,
    /// Whether a client certificate was asked for, in the handshake or later.
    pub certificate_requested: bool,
    /// Whether it, or a renegotiation, was asked for after the first handshake.
    pub asked_late: bool,
    /// The version, once the two sides have agreed on one.
    pub tls_version: Option<TlsVersion>,
    /// The application protocol, once the two sides have agreed on one.
    pub alpn: Option<String>,
}

impl Handshake {
    /// As the connection stands.
    pub(crate) fn of(ssl: &SslRef, observer: &Observer) -> Self {
        Self {
            // A cipher is known as soon as the server has chosen, and the version with it.
            tls_version: ssl.current_cipher().and_then(|_| ssl.version_str().parse().ok()),
            alpn: ssl.selected_alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            ..Self::default()
        }
        .brought_up_to_date(observer)
    }

    /// With the messages and alerts that have passed by now.
    pub(crate) fn brought_up_to_date(self, observer: &Observer) -> Self {
        Self {
            alert_received: observer.alert_received(),
            alert_sent: observer.alert_sent(),
            certificate_requested: observer.certificate_requested(),
            asked_late: observer.asked_late(),
            ..self
        }
    }

    /// As the evidence of a client that knows nothing else yet.
    pub(super) fn into_client_saw(self) -> ClientSaw {
        ClientSaw {
            alert: self.alert_received,
            alert_sent: self.alert_sent,
            certificate_requested: self.certificate_requested,
            asked_late: self.asked_late,
            tls_version: self.tls_version,
            alpn: self.alpn,
            ..ClientSaw::default()
        }
    }
}
