//! The names of a server certificate: its common name and its alternative names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::string::Ia5String;
use rcgen::{CidrSubnet, GeneralSubtree, SanType};

use crate::{Error, Name};

/// The name for which `wrong-name` is issued.
pub const WRONG_NAME: &str = "wrong.gauntlet.test";

/// How the names of a certificate follow from those that were asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Names {
    AsAsked,
    Wrong,
    CommonNameOnly,
    /// The common name as asked, and another name where names belong.
    WrongButCommonName,
    Addresses,
    HostsAndAddresses,
    /// One label below the host.
    Below(&'static str),
    Nul,
    Uri,
    Many(usize),
}

/// The common name of a leaf whose own names cannot be one.
const NAMELESS: &str = "Gauntlet server";

/// The longest common name there may be: `ub-common-name` of RFC 5280 A.1.
const LONGEST_COMMON_NAME: usize = 64;

/// Common name and alternative names.
#[derive(Debug)]
pub(crate) struct Covered {
    pub(crate) common_name: String,
    pub(crate) alternative_names: Vec<SanType>,
}

impl Covered {
    /// The names that a recipe covers when it was asked to cover `asked`.
    pub(crate) fn by(names: Names, asked: &[Name]) -> Result<Self, Error> {
        let host = host(asked);
        match names {
            Names::AsAsked => Self::names(asked),
            Names::Wrong => Self::names(&[Name::Dns(WRONG_NAME.to_owned())]),
            Names::CommonNameOnly => Ok(Self { alternative_names: Vec::new(), ..Self::names(asked)? }),
            Names::WrongButCommonName => {
                let wrong = Self::names(&[Name::Dns(WRONG_NAME.to_owned())])?;
                Ok(Self { alternative_names: wrong.alternative_names, ..Self::names(asked)? })
            }
            Names::HostsAndAddresses => {
                let hosts = asked.iter().filter(|name| matches!(name, Name::Dns(_))).cloned();
                Self::names(&hosts.chain(addresses(asked)).collect::<Vec<_>>())
            }
            Names::Addresses => Self::names(&addresses(asked)),
            Names::Below(label) => Self::names(&[Name::Dns(format!("{label}.{host}"))]),
            Names::Nul => Self::other(SanType::DnsName(ia5(format!("{host}\0.attacker.test"))?)),
            Names::Uri => Self::other(SanType::URI(ia5(format!("spiffe://{host}/backend"))?)),
            Names::Many(count) => Self::names(&many(count, host, asked)),
        }
    }

    /// These names; the common name is the first.
    pub(crate) fn names(names: &[Name]) -> Result<Self, Error> {
        names.iter().try_for_each(Name::check)?;
        let first = names.first().ok_or(Error::NoName)?.to_string();
        let is_short = first.len() <= LONGEST_COMMON_NAME;
        Ok(Self {
            common_name: if is_short { first } else { NAMELESS.to_owned() },
            alternative_names: names.iter().map(alternative_name).collect::<Result<_, _>>()?,
        })
    }

    /// A single name that cannot be dialled. It is not the common name either, because there are clients that
    /// look there when they find no host name among the alternative ones.
    fn other(name: SanType) -> Result<Self, Error> {
        Ok(Self { common_name: NAMELESS.to_owned(), alternative_names: vec![name] })
    }
}

/// The names as an authority's constraints put them. A constraint covers all that is below it, so a wildcard's
/// is what the star stands on.
pub(crate) fn subtrees(names: &[Name]) -> Vec<GeneralSubtree> {
    let subtree = |name: &Name| match name {
        Name::Dns(name) => GeneralSubtree::DnsName(name.trim_start_matches("*.").to_owned()),
        Name::Ip(address) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, bits))
        }
    };
    names.iter().map(subtree).collect()
}

/// The first host name, without a star.
fn host(asked: &[Name]) -> &str {
    let host = asked.iter().find_map(|name| match name {
        Name::Dns(name) => Some(name.trim_start_matches("*.")),
        Name::Ip(_) => None,
    });
    host.unwrap_or("gauntlet.test")
}

fn addresses(asked: &[Name]) -> Vec<Name> {
    let asked: Vec<Name> = asked.iter().filter(|name| matches!(name, Name::Ip(_))).cloned().collect();
    if asked.is_empty() {
        [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(Name::Ip).to_vec()
    } else {
        asked
    }
}

/// The names that were asked for come last, so that a peer that finds one has read all the others.
fn many(count: usize, host: &str, asked: &[Name]) -> Vec<Name> {
    let others = count.saturating_sub(asked.len());
    let others = (0..others).map(|number| Name::Dns(format!("name-{number:05}.{host}")));
    others.chain(asked.iter().cloned()).collect()
}

fn alternative_name(name: &Name) -> Result<SanType, Error> {
    Ok(match name {
        Name::Dns(name) => SanType::DnsName(ia5(name.clone())?),
        Name::Ip(address) => SanType::IpAddress(*address),
    })
}

fn ia5(text: String) -> Result<Ia5String, Error> {
    Ia5String::try_from(text.as_str()).map_err(|_| Error::Name(text))
}
