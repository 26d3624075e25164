//! Whom a request may come from: programs, and our own page; no page of anybody else.
//!
//! A browser sends requests for whatever page asks it to. Pages of other origins are told apart by what browsers say of
//! them (Fetch Metadata; the header Origin, RFC 6454 7), and a page whose own name leads here (DNS rebinding) by that
//! name: only names that nobody can own in the public name space, and the fleet's own, are answered to.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{HOST, ORIGIN},
};
use tls_gauntlet_certs::Name;

use crate::http::Problem;

/// What nobody can register a name below: RFC 6761, RFC 6762 3, and `internal`, which ICANN keeps for private use.
const PRIVATE: [&str; 6] = ["localhost", "test", "example", "invalid", "local", "internal"];

/// Refuses what a page of somebody else has a browser send.
pub(super) fn check(method: &Method, headers: &HeaderMap, names: &[Name]) -> Result<(), Problem> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let authority = said(HOST.as_str()).unwrap_or_default();
    let host = host(authority);
    if !is_ours(host, names) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "\"{host}\" is no name of this fleet; call it by its address, or start it with --name {host}"
            ),
        ));
    }
    let foreign = match said("sec-fetch-site") {
        None | Some("same-origin" | "none") => false,
        // A link may lead here from anywhere.
        Some(_) => !(*method == Method::GET && said("sec-fetch-mode") == Some("navigate")),
    };
    let origin = said(ORIGIN.as_str());
    if foreign || origin.is_some_and(|origin| origin.strip_prefix("http://") != Some(authority)) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another origin asks; open the page of this fleet, or ask with a program",
        ));
    }
    Ok(())
}

/// The host of an authority, without its port.
pub(super) fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether nobody else can have this name lead here.
fn is_ours(host: &str, names: &[Name]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let lower = host.trim_end_matches('.').to_ascii_lowercase();
    let own = |name: &Name| match name {
        Name::Dns(name) => match name.strip_prefix("*.") {
            Some(above) => lower.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(above)),
            None => name.eq_ignore_ascii_case(&lower),
        },
        Name::Ip(_) => false,
    };
    match lower.rsplit_once('.') {
        // An address, or a name without a dot, as containers have; no browser comes without any.
        _ if bare.parse::<IpAddr>().is_ok() => true,
        None => true,
        Some((_, last)) => PRIVATE.contains(&last) || names.iter().any(own),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:9000", &[], None)]
    #[case("[::1]:9000", &[], None)]
    #[case("gauntlet:9000", &[], None)]
    #[case("app.localhost:9000", &[], None)]
    #[case("[::ffff:127.0.0.1]:9000", &[], None)]
    #[case("APP.LOCALHOST:9000", &[], None)]
    #[case("fleet.default.svc.cluster.local", &[], None)]
    #[case("fleet.test", &[], None)]
    #[case("fleet.example", &[], None)]
    #[case("fleet.invalid", &[], None)]
    #[case("fleet.internal", &[], None)]
    #[case("orders.example.com:9000", &[], None)]
    #[case("a.shop.example.com.", &[], None)]
    #[case("", &[], None)]
    #[case("attacker.com:9000", &[], Some(421))]
    #[case("127.0.0.1.attacker.com:9000", &[], Some(421))]
    #[case("a.b.shop.example.com", &[], Some(421))]
    #[case("shop.example.com", &[], Some(421))]
    #[case("my-orders.example.com", &[], Some(421))]
    #[case("127.0.0.1:9000", &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:9000")], None)]
    #[case("127.0.0.1:9000", &[("sec-fetch-site", "none")], None)]
    #[case("127.0.0.1:9000", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], None)]
    #[case("127.0.0.1:9000", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")], Some(403))]
    #[case("127.0.0.1:9000", &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")], Some(403))]
    #[case("127.0.0.1:9000", &[("origin", "http://127.0.0.1:9001")], Some(403))]
    #[case("127.0.0.1:9000", &[("origin", "https://127.0.0.1:9000")], Some(403))]
    #[case("127.0.0.1:9000", &[("origin", "http://127.0.0.1:9000.attacker.com")], Some(403))]
    #[case("127.0.0.1:9000", &[("origin", "https://attacker.com")], Some(403))]
    #[case("127.0.0.1:9000", &[("origin", "null")], Some(403))]
    fn who_may_ask(#[case] host: &str, #[case] more: &[(&'static str, &str)], #[case] refused: Option<u16>) {
        let names = ["orders.example.com", "*.shop.example.com"].map(|name| name.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host)].iter().chain(more) {
            headers.insert(*name, value.parse().unwrap());
        }
        let problem = check(&Method::GET, &headers, &names).err();
        assert_eq!(problem.map(|problem| problem.status.as_u16()), refused);
    }

    #[rstest]
    #[case("localhost:9000", "localhost")]
    #[case("[::1]:9000", "[::1]")]
    #[case("[::1]", "[::1]")]
    #[case("localhost", "localhost")]
    fn an_authority_is_a_host_and_perhaps_a_port(#[case] authority: &str, #[case] expected: &str) {
        assert_eq!(host(authority), expected);
    }

    #[test]
    fn a_form_of_another_page_is_no_link() {
        let headers =
            [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let problem = check(&Method::POST, &headers.into_iter().collect(), &[]).unwrap_err();
        assert_eq!(problem.status, 403);
    }
}
