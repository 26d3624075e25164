//! The servers of a backend of HAProxy, with what `default-server` and `global` say of them.

use std::collections::BTreeMap;

use super::{
    super::{At, Configuration, Dialled, Role, Setting, Stated},
    Program,
    sections::{Line, Section},
};

/// Servers of a backend with the same settings.
pub(super) struct Group {
    pub(super) dialled: Vec<Dialled>,
    pub(super) tls: bool,
    pub(super) settings: BTreeMap<Setting, Stated>,
}

/// Keywords of a server that are followed by a value; the other keywords stand alone.
const WITH_VALUE: &[&str] = &[
    "verify",
    "verifyhost",
    "sni",
    "ca-file",
    "crt",
    "crl-file",
    "ssl-min-ver",
    "ssl-max-ver",
    "ciphers",
    "ciphersuites",
    "alpn",
    "npn",
    "weight",
    "inter",
    "fastinter",
    "downinter",
    "rise",
    "fall",
    "port",
    "addr",
    "maxconn",
    "minconn",
    "maxqueue",
    "cookie",
    "id",
    "observe",
    "error-limit",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "pool-max-conn",
    "pool-purge-delay",
    "max-reuse",
    "slowstart",
    "source",
    "proto",
    "check-sni",
    "check-alpn",
    "check-proto",
    "resolvers",
    "resolve-prefer",
    "resolve-opts",
    "resolve-net",
    "init-addr",
    "track",
    "redir",
    "namespace",
    "curves",
    "sigalgs",
    "client-sigalgs",
    "socks4",
    "tcp-ut",
    "agent-port",
    "agent-addr",
    "agent-inter",
    "agent-send",
    "log-proto",
    "ws",
    "shard",
    "pool-low-conn",
    "ssf",
];

/// What the keywords of a server say: each with the line of the last one that says it.
#[derive(Clone, Default)]
struct Keywords(BTreeMap<String, (String, At)>);

impl Keywords {
    fn add(&mut self, words: &[String], at: &At) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = if WITH_VALUE.contains(&word.as_str()) {
                words.next().cloned().unwrap_or_default()
            } else {
                String::new()
            };
            match word.strip_prefix("no-") {
                Some(keyword @ ("ssl" | "check" | "check-ssl" | "backup" | "disabled")) => {
                    self.0.remove(keyword);
                }
                _ => {
                    self.0.insert(word.clone(), (value, at.clone()));
                }
            }
        }
    }

    fn get(&self, keyword: &str) -> Option<Stated> {
        self.0.get(keyword).map(|(value, at)| Stated::at(at, value))
    }

    fn has(&self, keyword: &str) -> bool {
        self.0.contains_key(keyword)
    }
}

/// The groups of a backend: one for each set of settings.
pub(super) fn read(
    program: &Program,
    section: &Section,
    host: &str,
    configuration: &mut Configuration,
) -> Vec<Group> {
    let mut default = Keywords::default();
    if let Some(defaults) = section.defaults {
        add_defaults(program, &program.sections[defaults], &mut default);
    }
    let mut groups: Vec<Group> = Vec::new();
    for line in &section.lines {
        let (address, rest) = match line.word(0) {
            "default-server" => {
                default.add(&line.words[1..], &line.at);
                continue;
            }
            "server" => (line.word(2), 3),
            "server-template" => (line.word(3), 4),
            _ => continue,
        };
        let mut keywords = default.clone();
        keywords.add(line.words.get(rest..).unwrap_or_default(), &line.at);
        if keywords.has("disabled") {
            continue;
        }
        let Some(dialled) = dialled(address, line) else {
            configuration
                .problem(&line.at, format!("the address {address} depends on more than the configuration"));
            continue;
        };
        let tls = keywords.has("ssl");
        let settings = settings(program, section, line, &keywords, host, configuration);
        let values = |settings: &BTreeMap<Setting, Stated>| {
            settings.iter().map(|(setting, stated)| (*setting, stated.value.clone())).collect::<Vec<_>>()
        };
        let same = |group: &&mut Group| group.tls == tls && values(&group.settings) == values(&settings);
        match groups.iter_mut().find(same) {
            Some(group) => group.dialled.push(dialled),
            None => groups.push(Group { dialled: vec![dialled], tls, settings }),
        }
    }
    groups
}

fn add_defaults(program: &Program, section: &Section, keywords: &mut Keywords) {
    if let Some(outer) = section.defaults {
        add_defaults(program, &program.sections[outer], keywords);
    }
    for line in section.lines.iter().filter(|line| line.word(0) == "default-server") {
        keywords.add(&line.words[1..], &line.at);
    }
}

/// Host and port of a server; a port that is missing, or is an offset, is the one that the client called.
fn dialled(address: &str, line: &Line) -> Option<Dialled> {
    let at = line.at.clone();
    let plain =
        ["ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"].iter().find_map(|family| address.strip_prefix(family));
    let address = plain.unwrap_or(address);
    if let Some(path) = address.strip_prefix("unix@").or_else(|| address.starts_with('/').then_some(address))
    {
        return Some(Dialled { host: format!("unix:{path}"), port: 0, at });
    }
    if address.contains(['@', '$']) {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Dialled { host: host.to_owned(), port: port.parse().ok()?, at })
}

fn settings(
    program: &Program,
    section: &Section,
    line: &Line,
    keywords: &Keywords,
    host: &str,
    configuration: &mut Configuration,
) -> BTreeMap<Setting, Stated> {
    let mut settings = BTreeMap::new();
    if keywords.has("ssl") {
        secure(program, line, keywords, host, &mut settings, configuration);
    }
    if let Some(check) = keywords.get("check") {
        let http = program.line(section, "option httpchk").map_or("tcp", |_| "http");
        let plain = if keywords.has("ssl") || keywords.has("check-ssl") { "over tls" } else { "plain" };
        settings.insert(Setting::HealthCheck, Stated { value: format!("{http} {plain}"), ..check });
    }
    if let Some(line) = program.line(section, "retries") {
        settings.insert(Setting::Retries, Stated::at(&line.at, line.word(1)));
    }
    if let Some(line) = program.line(section, "retry-on") {
        let times = settings.get(&Setting::Retries).map_or("3", |stated| stated.value.as_str()).to_owned();
        settings.insert(
            Setting::Retries,
            Stated::at(&line.at, format!("{times} on {}", line.words[1..].join(" "))),
        );
    }
    let keeps = ["http-reuse", "option httpclose", "option http-server-close"]
        .iter()
        .find_map(|keyword| program.line(section, keyword));
    if let Some(line) = keeps {
        settings.insert(Setting::KeepAlive, Stated::at(&line.at, line.words.join(" ")));
    }
    settings
}

fn secure(
    program: &Program,
    line: &Line,
    keywords: &Keywords,
    host: &str,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let global = program.global("ssl-server-verify").map(|line| Stated::at(&line.at, line.word(1)));
    let verify =
        keywords.get("verify").or(global).unwrap_or_else(|| Stated::default_at(&line.at, "required"));
    let on = if verify.value == "none" { "off" } else { "on" };
    settings.insert(Setting::Verification, Stated { value: on.to_owned(), ..verify });
    let sni = keywords.get("sni").map(|stated| {
        let value = match stated.value.as_str() {
            fixed if fixed.starts_with("str(") => fixed["str(".len()..].trim_end_matches(')').to_owned(),
            "req.hdr(host)" | "hdr(host)" | "req.hdr(Host)" | "ssl_fc_sni" | "req.hdr(host),host_only" => {
                host.to_owned()
            }
            other => {
                configuration.problem(&stated.at, format!("the server name depends on {other}"));
                other.to_owned()
            }
        };
        Stated { value, ..stated }
    });
    // The name that is sent is the one that is checked; `verifyhost` counts where none is sent, and without both no name is
    // checked (`ssl_sock_srv_verifycbk`).
    let checked = sni
        .clone()
        .or_else(|| keywords.get("verifyhost"))
        .unwrap_or_else(|| Stated::default_at(&line.at, "off"));
    settings.insert(Setting::CheckedName, checked);
    settings.insert(Setting::Sni, sni.unwrap_or_else(|| Stated::default_at(&line.at, "off")));
    let files = [
        (Setting::Trust, "ca-file", "ca-base", Role::Trust),
        (Setting::Certificate, "crt", "crt-base", Role::Certificate),
        (Setting::RevocationList, "crl-file", "ca-base", Role::RevocationList),
    ];
    for (setting, keyword, base, role) in files {
        if let Some(stated) = keywords.get(keyword) {
            let stated = Stated { value: program.path(base, &stated.value), ..stated };
            if !stated.value.starts_with('@') {
                configuration.name_file(role, &stated);
            }
            settings.insert(setting, stated);
        }
    }
    let forced =
        ["force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13"].iter().find_map(|keyword| {
            keywords.get(keyword).map(|stated| Stated { value: (*keyword).to_owned(), ..stated })
        });
    let bound = |keyword: &str| {
        let own = keywords.get(keyword);
        let global = program.global("ssl-default-server-options");
        own.or_else(|| global.and_then(|line| Some(Stated::at(&line.at, line.after(keyword)?))))
    };
    let (lowest, highest) = (bound("ssl-min-ver"), bound("ssl-max-ver"));
    // What the server says itself is the place to look at, not what holds for all.
    let own = ["ssl-max-ver", "ssl-min-ver"].iter().find_map(|keyword| keywords.get(keyword));
    let place = own.as_ref().or(lowest.as_ref()).or(highest.as_ref()).map(|stated| stated.at.clone());
    let bounds = place.map(|at| {
        let words = [("from", lowest.as_ref()), ("to", highest.as_ref())];
        let words =
            words.iter().filter_map(|(word, stated)| Some(format!("{word} {}", stated.as_ref()?.value)));
        Stated::at(&at, words.collect::<Vec<_>>().join(" "))
    });
    settings.extend(forced.or(bounds).map(|versions| (Setting::Versions, versions)));
    let ciphers = ["ciphers", "ciphersuites"].iter().find_map(|keyword| {
        keywords.get(keyword).or_else(|| {
            program
                .global(&format!("ssl-default-server-{keyword}"))
                .map(|line| Stated::at(&line.at, line.word(1)))
        })
    });
    settings.extend(ciphers.map(|ciphers| (Setting::Ciphers, ciphers)));
}
