//! What each party is set up to do: backends, clients, listeners and upstreams as data.

mod backend;
mod client;
mod listener;
mod upstream;

pub use backend::{
    ApplicationProtocols, BackendProfile, Demand, DemandTime, DhParameters, Fault, FaultAction, FaultOn,
    FaultPhase, Need, Renegotiation, ServerNamePolicy,
};
pub use client::{ClientProfile, ServerNameSent};
pub use listener::{ClientCertificatePolicy, ListenerProfile};
pub use upstream::UpstreamProfile;
