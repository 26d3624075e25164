//! What backends, clients and gateways have in common of TLS: contexts, versions, identities, cipher suites, and one reading
//! of what OpenSSL reports.

pub(crate) mod algorithms;
pub(crate) mod context;
pub(crate) mod old_ciphers;
pub(crate) mod reason;
pub(crate) mod shared_tls;
pub(crate) mod verification;

pub use context::CannotSetUp;
