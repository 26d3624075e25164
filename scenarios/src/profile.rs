//! What each party is set up to do: backends, clients, listeners and upstreams as data.

mod backend;
mod client;
mod gateway;
mod listener;
mod upstream;

pub use backend::{
    Accepts, ApplicationProtocols, AuthorityHints, BackendProfile, ClientRenegotiation, Demand, DemandTime,
    DhParameters, EarlyData, Fault, FaultAction, FaultOn, FaultPhase, HttpRefusal, KeyUpdate, LateFor, Need,
    Records, Renegotiation, Renewal, ServerNamePolicy, Sessions, Staple, StatusFault, TlsRefusal,
};
pub use client::{ClientProfile, ServerNameSent};
pub use gateway::{
    AuthorityStore, BackendSide, ClientSide, Failure, FailureBody, GatewayOption, GatewayProfile,
    OptionError, Setting,
};
pub use listener::{ClientCertificatePolicy, ListenerProfile};
pub use upstream::{RevocationCheck, UpstreamProfile};
