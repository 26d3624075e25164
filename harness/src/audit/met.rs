//! What came of one call, by the caller, the stand-in and the log.

use tls_gauntlet_scenarios::{BackendSaw, StatusSource};

use super::caller::Called;
use crate::wire::nonce::Nonce;

/// What came of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    /// The answer; that of a call which was not waited for comes later.
    pub(super) called: Called,
    pub(super) late: Option<Nonce>,
    /// What the stand-in saw of it.
    pub(super) backend: Vec<BackendSaw>,
    pub(super) status_asked: Vec<StatusSource>,
    pub(super) said: Vec<String>,
    pub(super) through: bool,
}
