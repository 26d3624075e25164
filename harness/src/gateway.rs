//! The gateways under test: found by name, folder or address, set up for a plan, started, watched and stopped.

mod plan;
pub mod reference;

pub use plan::{BACKEND_NAME, GATEWAY_NAME, GatewayPlan, Route};
