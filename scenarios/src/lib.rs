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

pub mod by_name;
mod catalogue;
mod cell;
mod claims;
mod compose;
pub mod custom_properties;
pub mod diagnosis;
mod discovery;
mod evidence;
mod expectation;
pub mod judge;
pub mod model;
pub mod nearest;
pub mod policy;
pub mod posture;
mod profile;
mod suite;
mod verdict;
pub mod what_if;
mod words;

pub use by_name::NotByName;
pub use catalogue::{Catalogue, UnknownName, catalogue};
pub use cell::{CellId, CellIdError, Named, Scenario};
pub use claims::{
    AlertClaim, CertificateClaim, ClaimName, Claims, ListenerClaims, PlainHttp, StatusClaim, Unclaimed,
    UnknownProtocols, Verifies,
};
pub use compose::{Composed, Contradiction};
pub use diagnosis::Diagnosis;
pub use discovery::{Discovery, Measured};
pub use evidence::{
    BackendSaw, ClientHelloFacts, ClientSaw, Ended, Evidence, Handling, LateDemand, Responder,
};
pub use expectation::{BackendSight, Connection, Expectation};
pub use profile::{
    Accepts, ApplicationProtocols, AuthorityHints, AuthorityStore, BackendProfile, BackendSide,
    ClientCertificatePolicy, ClientProfile, ClientRenegotiation, ClientSide, Demand, DemandTime,
    DhParameters, EarlyData, Failure, FailureBody, Fault, FaultAction, FaultOn, FaultPhase, GatewayOption,
    GatewayProfile, HttpRefusal, KeyUpdate, LateFor, ListenerProfile, Need, OptionError, Records,
    Renegotiation, Renewal, RevocationCheck, ServerNamePolicy, ServerNameSent, Sessions, Setting, Staple,
    StatusFault, TlsRefusal, UpstreamProfile,
};
pub use suite::{Product, Suite};
pub use verdict::{Deviation, Verdict, VerdictKind};
pub use words::{
    Alert, Cause, CipherSuite, ClientCertificate, Group, NoSuiteLeft, Outcome, Party, Phase,
    ServerCertificate, StatusSource, TlsVersion, UnknownWord, Versions,
};
