//! What the control API tells of one backend.

use serde::Serialize;

use super::prospect::Prospect;

/// A backend, as the API tells of it.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    pub(super) name: &'a str,
    /// That of the catalogue; `composed` for what is not in it.
    pub(super) family: &'static str,
    pub(super) summary: &'a str,
    pub(super) clause: &'a str,
    pub(super) url: String,
    /// On the port for all names; none if it cannot be chosen by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url_by_name: Option<String>,
    pub(super) port: u16,
    /// How many of its next connections follow a script.
    pub(super) scripted: usize,
    /// What becomes of a sound client.
    pub(super) expect: Prospect,
    /// Lines that show what it does.
    pub(super) curl: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) curl_by_name: Option<String>,
    pub(super) s_client: String,
    /// Asks for the status of its certificate, where that points to, or looks its chain up in `crl.pem`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
}
