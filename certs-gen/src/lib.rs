//! The PKI of Gauntlet: recipes in, certificates out. Knows no sockets.
//!
//! A [`Pki`] is four hierarchies (server, client, untrusted, expired), each a root and what issues below it. A
//! recipe names one certificate and at most one flaw; everything else about it is sound, so a peer that refuses
//! it has one reason only. Time and chance are arguments: the same seed and clock give the same names and
//! serial numbers (keys are always fresh).
//!
//! ```
//! use time::macros::datetime;
//! use tls_gauntlet_certs::{Name, Pki, ServerCertificate};
//!
//! let pki = Pki::new(42, datetime!(2026-03-01 12:00 UTC))?;
//! let names: Vec<Name> = vec!["orders.test".parse()?, "127.0.0.1".parse()?];
//!
//! let expired = pki.server(ServerCertificate::Expired, &names)?;
//! assert_eq!(expired.chain().len(), 2, "leaf and intermediate go on the wire, the root does not");
//! assert!(expired.chain_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//!
//! let recipe: ServerCertificate = "wrong-name".parse()?;
//! assert_eq!(recipe.clause(), "RFC 9525 6.3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! rcgen encodes and OpenSSL signs: one crypto library for every key type, and no second C library to build. What
//! rcgen does not encode (old digests, version 1, most kinds of keys) is put into its certificates afterwards.

mod authority;
mod circumstances;
mod covered;
mod error;
mod export;
mod file;
mod identity;
mod key;
mod lock;
mod name;
mod opened;
mod parts;
mod pfx;
mod pki;
mod revocation;
mod rsa;
mod serial;
mod shape;
mod store;

pub use circumstances::Circumstances;
pub use covered::WRONG_NAME;
pub use error::Error;
pub use export::{Format, write};
pub use identity::{Identity, hex};
pub use name::Name;
pub use opened::{Unusable, authorities};
pub use pfx::PfxEncryption;
pub use pki::Pki;
pub use revocation::{CrlKind, OcspKind, crls_pem};
pub use tls_gauntlet_scenarios::{ClientCertificate, ServerCertificate};
