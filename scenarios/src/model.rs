//! The model: what must happen, computed from profiles and claims.

use crate::{
    cell::Scenario,
    claims::{Claims, Unclaimed},
    compose::Composed,
    expectation::Expectation,
    profile::UpstreamProfile,
};

/// What must happen when this scenario runs through a gateway with these claims.
///
/// # Errors
/// [`Unclaimed`] where gateways differ and this one makes no claim.
pub fn expect(_scenario: &Scenario, _claims: &Claims) -> Result<Expectation, Unclaimed> {
    unimplemented!()
}

/// What must happen when a client set up like this upstream calls this backend itself.
///
/// # Errors
/// [`Unclaimed`] where clients differ and this one makes no claim.
pub fn expect_direct(
    _upstream: &UpstreamProfile,
    _backend: &Composed,
    _claims: &Claims,
) -> Result<Expectation, Unclaimed> {
    unimplemented!()
}
