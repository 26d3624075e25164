//! Whom a request may come from: programs, and our own page; no page of anybody else.
//!
//! A browser sends requests for whatever page asks it to. Pages of other origins are told apart by what browsers say of
//! them (Fetch Metadata; the header Origin, RFC 6454 7), and a page whose own name leads here (DNS rebinding) by that
//! name: only addresses, `localhost` and the fleet's own names are answered to.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{AUTHORIZATION, HOST, ORIGIN},
};
use tls_gauntlet_certs::Name;

use crate::http::Problem;

/// Refuses what a page of somebody else has a browser send.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap, names: &[Name]) -> Result<(), Problem> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let authority = authority(uri, headers)?;
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

/// Whether the caller knows the word that keys are handed out for, if there is one.
pub(super) fn may_have_keys(headers: &HeaderMap, token: Option<&str>) -> Result<(), Problem> {
    let Some(token) = token else { return Ok(()) };
    let said = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let said = said.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // In constant time, so that nobody can guess letter by letter.
    if said.len() == token.len() && openssl::memcmp::eq(said.as_bytes(), token.as_bytes()) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNAUTHORIZED,
        "private keys need the header \"authorization: Bearer TOKEN\" with the token that gauntlet serve has printed; or start \
         it with --open-control",
    ))
}

/// The one authority that a request is for (RFC 9112 3.2): two that differ would be read in two ways.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let host = first.filter(|_| second.is_none()).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| Problem::bad_request("a request has one Host, and that is text"))?;
    match uri.authority() {
        Some(target) if target.as_str() != host => {
            Err(Problem::bad_request("the target of the request names another host than its Host"))
        }
        Some(_) | None => Ok(host),
    }
}

/// The host of an authority, without its port.
pub(super) fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether nobody else can have this name lead here: an address, `localhost` (RFC 6761 6.3), and the names that were given.
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
    let is_local = lower == "localhost" || lower.ends_with(".localhost");
    is_local || bare.parse::<IpAddr>().is_ok() || names.iter().any(own)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:9000", &[], None)]
    #[case("[::1]:9000", &[], None)]
    #[case("gauntlet:9000", &[], Some(421))]
    #[case("app.localhost:9000", &[], None)]
    #[case("[::ffff:127.0.0.1]:9000", &[], None)]
    #[case("APP.LOCALHOST:9000", &[], None)]
    #[case("fleet.default.svc.cluster.local", &[], Some(421))]
    #[case("fleet.test", &[], Some(421))]
    #[case("fleet.example", &[], Some(421))]
    #[case("fleet.invalid", &[], Some(421))]
    #[case("fleet.internal", &[], Some(421))]
    #[case("orders.example.com:9000", &[], None)]
    #[case("a.shop.example.com.", &[], None)]
    #[case("", &[], Some(421))]
    #[case("attacker.local", &[], Some(421))]
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
        let problem = check(&Method::GET, &Uri::from_static("/"), &headers, &names).err();
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
        let headers = headers.into_iter().collect();
        let problem = check(&Method::POST, &Uri::from_static("/"), &headers, &[]).unwrap_err();
        assert_eq!(problem.status, 403);
    }

    #[rstest]
    #[case::two(&["localhost", "localhost"], "/")]
    #[case::none(&[], "/")]
    #[case::another_target(&["localhost"], "http://attacker.com/certs/client-good.key")]
    fn a_request_is_for_one_host(#[case] hosts: &[&str], #[case] target: &str) {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append("host", host.parse().unwrap());
        }
        let problem = check(&Method::GET, &target.parse().unwrap(), &headers, &[]).unwrap_err();
        assert_eq!(problem.status, 400);
    }

    #[test]
    fn a_host_that_is_no_text_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert("host", hyper::header::HeaderValue::from_bytes(b"local\xffhost").unwrap());
        assert_eq!(check(&Method::GET, &Uri::from_static("/"), &headers, &[]).unwrap_err().status, 400);
    }

    #[rstest]
    #[case(None, Some("word"), false)]
    #[case(Some("Bearer word"), Some("word"), true)]
    #[case(Some("Bearer sword"), Some("word"), false)]
    #[case(Some("word"), Some("word"), false)]
    #[case(None, None, true)]
    fn keys_are_for_those_who_know_the_word(
        #[case] said: Option<&str>,
        #[case] token: Option<&str>,
        #[case] given: bool,
    ) {
        let headers = said.map(|said| (AUTHORIZATION, said.parse().unwrap())).into_iter().collect();
        assert_eq!(may_have_keys(&headers, token).is_ok(), given);
    }
}
