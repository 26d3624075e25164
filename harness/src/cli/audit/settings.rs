//! What gauntlet.toml says of audits: legs, and exceptions from the policy.

use std::{net::IpAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use time::{Date, Month};
use tls_gauntlet_scenarios::{nearest, policy};

use crate::{
    audit::Exception,
    cli::failure::{Failure, input_error},
};

/// One leg in gauntlet.toml. Relative paths begin in its folder; the command line overrides what it says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::cli) struct LegSettings {
    /// The URL that a client calls.
    pub(super) url: String,
    /// The host and port that the gateway then dials.
    pub(super) backend: String,
    /// The address at which Gauntlet listens on that port.
    pub(super) bind: Option<IpAddr>,
    /// The host to ask for; that of the URL if absent.
    pub(super) host: Option<String>,
    /// Where to connect to, whatever the URL's host resolves to.
    pub(super) connect_to: Option<String>,
    /// Headers of the request, as in "accept: */*".
    #[serde(default)]
    pub(super) headers: Vec<String>,
    /// The method.
    pub(super) method: Option<String>,
    /// A file with the body of the request.
    pub(super) body: Option<PathBuf>,
    /// A file of roots to trust for the gateway's own certificate.
    pub(super) trust: Option<PathBuf>,
    /// Take whatever certificate the gateway shows.
    #[serde(default)]
    pub(super) insecure: bool,
    /// A certificate to show to the gateway, with its chain and its key.
    pub(super) client_cert: Option<PathBuf>,
    /// The gateway's log.
    pub(super) log: Option<PathBuf>,
    /// A command that prints the gateway's log.
    pub(super) log_command: Option<String>,
}

/// A line of the policy that need not be kept for a while.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::cli) struct ExceptionSettings {
    /// The rule, as an audit names it: `revocation`.
    rule: String,
    /// The leg, as in `orders.internal:8443`; every one if absent.
    leg: Option<String>,
    /// Why it is put up with.
    reason: String,
    /// The last day on which it is, as in 2027-03-31.
    #[schemars(with = "String")]
    until: toml::value::Datetime,
}

impl ExceptionSettings {
    /// The exception, if its rule and its day are known.
    pub(in crate::cli) fn read(&self) -> Result<Exception, Failure> {
        let known: Vec<&str> = policy::rules().collect();
        if !known.contains(&self.rule.as_str()) {
            let hint = nearest::hint(&self.rule, known.iter().copied());
            return Err(input_error!(
                "unknown rule \"{}\"{hint} (known are {})",
                self.rule,
                known.join(", ")
            ));
        }
        let day = self.until.date.and_then(|day| {
            let month = Month::try_from(day.month).ok()?;
            Date::from_calendar_date(i32::from(day.year), month, day.day).ok()
        });
        let until = day.ok_or_else(|| input_error!("until = {} is no day, as in 2027-03-31", self.until))?;
        Ok(Exception { rule: self.rule.clone(), leg: self.leg.clone(), reason: self.reason.clone(), until })
    }
}
