//! What *should* happen on the TLS legs of a gateway: words, catalogue, model and judge.
//!
//! This crate is pure: it opens no socket, reads no clock and no file beyond the catalogue that is compiled in.
//!
//! ```
//! use tls_gauntlet_scenarios::{catalogue, model, Claims, Outcome};
//!
//! let backend = catalogue().backend("expired-leaf").unwrap();
//! let upstream = catalogue().upstream("strict").unwrap();
//! let expected = model::expect_direct(upstream, &backend, &Claims::openssl_client()).unwrap();
//! assert_eq!(expected.outcome, Outcome::Refuse);
//! assert_eq!(expected.cause.unwrap().to_string(), "server-cert-expired");
//! ```

mod catalogue;
mod cell;
mod claims;
mod compose;
pub mod diagnosis;
mod evidence;
mod expectation;
pub mod judge;
pub mod model;
mod profile;
mod suite;
mod verdict;
mod words;

pub use catalogue::{Catalogue, UnknownName, catalogue};
pub use cell::{CellId, CellIdError, Scenario};
pub use claims::{
    AlertClaim, ClaimName, Claims, ListenerClaims, PlainHttp, StatusClaim, Unclaimed, Verifies,
};
pub use compose::{Composed, Contradiction};
pub use diagnosis::Diagnosis;
pub use evidence::{BackendSaw, ClientHelloFacts, ClientSaw, Ended, Evidence, Handling, Responder};
pub use expectation::{BackendSight, Connection, Expectation};
pub use profile::{
    ApplicationProtocols, AuthorityHints, BackendProfile, ClientCertificatePolicy, ClientProfile,
    ClientRenegotiation, Demand, DemandTime, DhParameters, Fault, FaultAction, FaultOn, FaultPhase,
    HttpRefusal, KeyUpdate, ListenerProfile, Need, Records, Renegotiation, ServerNamePolicy, ServerNameSent,
    Sessions, UpstreamProfile,
};
pub use suite::{Product, Suite};
pub use verdict::{Deviation, Verdict, VerdictKind};
pub use words::{
    Alert, Cause, CipherSuite, ClientCertificate, Group, Outcome, Party, Phase, ServerCertificate,
    TlsVersion, UnknownWord, Versions,
};
