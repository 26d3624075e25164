//! The legs of httpd: the URL of a backend or the members of a balancer, and what `SSLProxy…` says of them.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    super::{Configuration, Dialled, Leg, Role, Setting, Stated},
    Scope,
    directives::Directive,
    pass::Pass,
    server::{Server, file},
};

/// A URL that is dialled, and the parameters of its worker.
struct Member<'a> {
    url: String,
    parameters: &'a [String],
    directive: &'a Directive,
}

/// Adds the legs of a pass: one, or one for each set of settings of a balancer's members.
pub(super) fn add<'a>(
    scope: &Scope<'a>,
    server: &Server,
    pass: &Pass<'a>,
    path: &str,
    configuration: &mut Configuration,
) {
    let at = &pass.directive.at;
    let authority = authority(pass.url);
    if authority.contains(['$', '%']) {
        configuration.problem(at, format!("the backend depends on {authority}"));
        return;
    }
    let (members, balancer) = if pass.url.starts_with("balancer://") {
        let sections = sections(scope, pass.url);
        (members(scope, &sections, &authority), scope_of(scope, sections))
    } else {
        (
            vec![Member { url: pass.url.to_owned(), parameters: pass.parameters, directive: pass.directive }],
            scope.clone(),
        )
    };
    if members.is_empty() {
        configuration.problem(at, format!("the balancer {} has no members", pass.url));
    }
    let url = server.url(path);
    let mut groups: Vec<Leg> = Vec::new();
    for member in members {
        let Some((dialled, tls)) = dialled(&member, configuration) else { continue };
        let own = scope_of(&balancer, sections(scope, &member.url));
        let mut settings = settings(&own, pass, &member);
        if tls {
            secure(&own, &dialled, pass, &url.host, &mut settings, configuration);
        }
        let same = |leg: &&mut Leg| {
            let values = |settings: &BTreeMap<Setting, Stated>| {
                settings.iter().map(|(setting, stated)| (*setting, stated.value.clone())).collect::<Vec<_>>()
            };
            leg.tls == tls && values(&leg.settings) == values(&settings)
        };
        match groups.iter_mut().find(same) {
            Some(leg) => leg.dialled.push(dialled),
            None => groups.push(Leg {
                name: format!("{} {}", pass.directive.written, pass.url),
                at: at.clone(),
                url: url.clone(),
                listener: server.listener,
                dialled: vec![dialled],
                tls,
                settings,
            }),
        }
    }
    configuration.legs.extend(groups);
}

/// What stands between the scheme of a URL and its path.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}

/// The sections `<Proxy>` that are for a URL, in their order.
fn sections<'a>(scope: &Scope<'a>, url: &str) -> Vec<&'a Directive> {
    let all = scope.blocks.iter().flat_map(|block| block.iter());
    all.filter(|section| match (section.name.as_str(), section.first()) {
        ("proxymatch", text) | ("proxy", text) if section.name == "proxymatch" || text == "~" => {
            let text = if text == "~" { section.argument(1) } else { text };
            regex::Regex::new(text).is_ok_and(|regex| regex.is_match(url))
        }
        ("proxy", pattern) => match pattern.trim_end_matches('*') {
            "" => true,
            prefix => url.starts_with(prefix.trim_end_matches('/')),
        },
        _ => false,
    })
    .collect()
}

fn scope_of<'a>(scope: &Scope<'a>, sections: Vec<&'a Directive>) -> Scope<'a> {
    sections.into_iter().fold(scope.clone(), |scope, section| scope.inner(section.inside()))
}

fn members<'a>(scope: &Scope<'a>, sections: &[&'a Directive], balancer: &str) -> Vec<Member<'a>> {
    let inside = sections.iter().flat_map(|section| section.inside());
    let inside = inside.filter(|directive| directive.name == "balancermember").filter_map(|directive| {
        Some(Member {
            url: directive.arguments.first()?.clone(),
            parameters: &directive.arguments[1..],
            directive,
        })
    });
    let named =
        scope.all("balancermember").filter(|directive| directive.first() == format!("balancer://{balancer}"));
    let named = named.filter_map(|directive| {
        Some(Member {
            url: directive.arguments.get(1)?.clone(),
            parameters: &directive.arguments[2..],
            directive,
        })
    });
    // `status=+D`: taken out of service.
    inside
        .chain(named)
        .filter(|member| {
            value(member.parameters, "status")
                .is_none_or(|status| !status.contains('D') || status.starts_with('-'))
        })
        .collect()
}

fn value<'a>(parameters: &'a [String], key: &str) -> Option<&'a str> {
    parameters.iter().find_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.eq_ignore_ascii_case(key).then_some(value)
    })
}

/// Host and port of a member, and whether TLS is spoken.
fn dialled(member: &Member<'_>, configuration: &mut Configuration) -> Option<(Dialled, bool)> {
    let at = member.directive.at.clone();
    // unix:/run/app.sock|https://localhost/
    let (socket, url) = match member.url.strip_prefix("unix:").and_then(|rest| rest.split_once('|')) {
        Some((socket, url)) => (Some(format!("unix:{socket}")), url),
        None => (None, member.url.as_str()),
    };
    let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
    let (tls, default) = match scheme.as_str() {
        "https" | "wss" | "h2" => (true, 443),
        "http" | "ws" | "h2c" => (false, 80),
        "ajp" => (false, 8009),
        "fcgi" => (false, 8000),
        "scgi" => (false, 4000),
        "uwsgi" => (false, 3031),
        "ftp" => (false, 21),
        _ => {
            configuration.problem(&at, format!("the URL {url} has no scheme that is known"));
            return None;
        }
    };
    if let Some(host) = socket {
        return Some((Dialled { host, port: 0, at }, tls));
    }
    let authority = authority(url);
    if authority.contains(['$', '%']) {
        configuration.problem(&at, format!("the backend depends on {authority}"));
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority.as_str(), default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some((Dialled { host, port, at }, tls))
}

/// What is said of connections and checks.
fn settings(scope: &Scope<'_>, pass: &Pass<'_>, member: &Member<'_>) -> BTreeMap<Setting, Stated> {
    let mut settings = BTreeMap::new();
    let set = |key: &str| {
        let sets = scope.all("proxyset").find(|directive| value(&directive.arguments, key).is_some());
        let own = value(member.parameters, key).map(|value| (value, member.directive));
        let of_pass = || value(pass.parameters, key).map(|value| (value, pass.directive));
        let found = own.or_else(of_pass).or_else(|| Some((value(&sets?.arguments, key)?, sets?)));
        found.map(|(value, directive)| Stated::at(&directive.at, format!("{key}={value}")))
    };
    let refused = ["proxy-nokeepalive", "force-proxy-request-1.0"];
    let refused = scope.all("setenv").find(|directive| refused.contains(&directive.first()));
    let keeps =
        set("disablereuse").or_else(|| refused.map(|directive| Stated::at(&directive.at, directive.first())));
    settings.extend(keeps.map(|stated| (Setting::KeepAlive, stated)));
    settings.extend(set("maxattempts").map(|stated| (Setting::Retries, stated)));
    settings.extend(set("hcmethod").map(|stated| (Setting::HealthCheck, stated)));
    settings
}

fn secure(
    scope: &Scope<'_>,
    dialled: &Dialled,
    pass: &Pass<'_>,
    called: &str,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let at = &pass.directive.at;
    if !scope.is_on("sslproxyengine") {
        configuration
            .problem(at, "SSLProxyEngine is not on: httpd answers 500 in place of calling the backend");
    }
    let words = |name: &str| {
        scope.find(name).map(|directive| Stated::at(&directive.at, directive.arguments.join(" ")))
    };
    let verify = words("sslproxyverify").unwrap_or_else(|| Stated::default_at(at, "none"));
    let on = match verify.value.to_ascii_lowercase().as_str() {
        "none" | "optional_no_ca" => "off",
        _ => "on",
    };
    settings.insert(Setting::Verification, Stated { value: on.to_owned(), ..verify });
    // The host of the URL, or the client's, is both sent and compared (`proxy-request-hostname`).
    let keeps = scope.find("proxypreservehost").filter(|_| scope.is_on("proxypreservehost"));
    let name = match keeps {
        Some(directive) => Stated::at(&directive.at, called),
        None if dialled.host.starts_with("unix:") => Stated::default_at(at, "localhost"),
        None => Stated::default_at(at, &dialled.host),
    };
    let is_address = name.value.parse::<IpAddr>().is_ok();
    let sni = if is_address { Stated { value: "off".to_owned(), ..name.clone() } } else { name.clone() };
    settings.insert(Setting::Sni, sni);
    let checked = match words("sslproxycheckpeername") {
        Some(stated) if stated.value.eq_ignore_ascii_case("off") => {
            Stated { value: "off".to_owned(), ..stated }
        }
        Some(stated) => Stated { value: name.value, ..stated },
        None => name,
    };
    settings.insert(Setting::CheckedName, checked);
    let depth = words("sslproxyverifydepth").unwrap_or_else(|| Stated::default_at(at, "1"));
    settings.insert(Setting::Depth, depth);
    settings.extend(words("sslproxyprotocol").map(|stated| (Setting::Versions, stated)));
    settings.extend(words("sslproxyciphersuite").map(|stated| (Setting::Ciphers, stated)));
    let files = [
        (Setting::Trust, "sslproxycacertificatepath", Role::Trust),
        (Setting::Trust, "sslproxycacertificatefile", Role::Trust),
        (Setting::Certificate, "sslproxymachinecertificatefile", Role::Certificate),
        (Setting::RevocationList, "sslproxycarevocationfile", Role::RevocationList),
    ];
    for (setting, name, role) in files {
        if let Some(directive) = scope.find(name) {
            settings.insert(setting, file(scope, directive, role, configuration));
        }
    }
    if let Some(directive) = scope.find("sslproxymachinecertificatechainfile") {
        file(scope, directive, Role::Other, configuration);
    }
    if let Some(directive) = scope.find("sslproxymachinecertificatepath") {
        configuration.problem(&directive.at, "a folder of client certificates is not read");
    }
    // A list that no check is made against is as good as none (SSLProxyCARevocationCheck, whose default is none).
    let check = words("sslproxycarevocationcheck");
    let unchecked = check.as_ref().is_none_or(|stated| stated.value.starts_with("none"));
    if let Some(list) = settings.get_mut(&Setting::RevocationList).filter(|_| unchecked) {
        *list = Stated { value: "off".to_owned(), ..check.unwrap_or_else(|| list.clone()) };
    }
}
