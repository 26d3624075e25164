//! What each party is set up to do: backends, clients, listeners and upstreams as data.

mod backend;
mod client;
mod listener;
mod upstream;

pub use backend::{
    ApplicationProtocols, AuthorityHints, BackendProfile, ClientRenegotiation, Demand, DemandTime,
    DhParameters, Fault, FaultAction, FaultOn, FaultPhase, HttpRefusal, KeyUpdate, Need, Records,
    Renegotiation, ServerNamePolicy, Sessions,
};
pub use client::{ClientProfile, ServerNameSent};
pub use listener::{ClientCertificatePolicy, ListenerProfile};
pub use upstream::UpstreamProfile;
