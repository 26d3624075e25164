//! The record layer in numbers (RFC 8446 5.1, RFC 5246 6.2.1).

/// The content type of a change of ciphers.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
/// The content type of alerts.
pub(super) const ALERT: u8 = 21;
/// The content type of handshake messages.
pub(super) const HANDSHAKE: u8 = 22;
/// The content type of application data, and of everything that TLS 1.3 encrypts.
pub(super) const APPLICATION_DATA: u8 = 23;
/// The content type of heartbeats (RFC 6520).
#[cfg(feature = "matrix")]
const HEARTBEAT: u8 = 24;

/// The length of a record's head: type, version and length of the content.
pub(super) const HEAD: usize = 5;
/// The longest content of a record that TLS 1.3 encrypts (RFC 8446 5.2).
#[cfg(feature = "matrix")]
pub(super) const LONGEST: usize = (1 << 14) + 256;

/// The major number that all versions since SSL 3.0 have in common.
pub(super) const MAJOR: u8 = 3;

/// Whether this is the content type of some record.
#[cfg(feature = "matrix")]
pub(super) const fn is_content_type(byte: u8) -> bool {
    matches!(byte, CHANGE_CIPHER_SPEC..=HEARTBEAT)
}

/// Whether a connection can begin with a record of this type: with a handshake message, or an alert.
pub(super) const fn begins_connection(byte: u8) -> bool {
    matches!(byte, ALERT | HANDSHAKE)
}
