//! The `bind` lines of HAProxy: addresses, certificates, and what is wanted of clients.

use super::{
    super::{
        ClientPolicy, Configuration, IdentityFiles, Listener, Role, Stated, Unreadable,
        files::{Text, Texts},
    },
    Program,
    sections::{Line, Section},
};

/// Adds the listeners of a proxy and returns their places.
pub(super) fn read(
    program: &Program,
    section: &Section,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<Vec<usize>, Unreadable> {
    let mut places = Vec::new();
    for line in section.lines.iter().filter(|line| line.word(0) == "bind") {
        for address in line.word(1).split(',') {
            if address.starts_with("quic") {
                configuration.problem(&line.at, "HTTP/3 is not looked at");
                continue;
            }
            let listener = listener(program, line, address, texts, configuration)?;
            configuration.listeners.push(listener);
            places.push(configuration.listeners.len() - 1);
        }
    }
    Ok(places)
}

fn listener(
    program: &Program,
    line: &Line,
    address: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<Listener, Unreadable> {
    let mut listener = Listener {
        address: Stated::at(&line.at, full(address)),
        names: Vec::new(),
        tls: line.words.iter().any(|word| word == "ssl"),
        identities: Vec::new(),
        client_authorities: None,
        clients: None,
    };
    if !listener.tls {
        return Ok(listener);
    }
    let mut words = line.words.iter().skip(2);
    while let Some(word) = words.next() {
        if word == "crt"
            && let Some(path) = words.next()
        {
            let certificate = Stated::at(&line.at, program.path("crt-base", path));
            configuration.name_file(Role::ServerCertificate, &certificate);
            listener.identities.push(IdentityFiles { certificate, key: None });
        }
    }
    if let Some(path) = line.after("crt-list") {
        list(program, line, path, &mut listener, texts, configuration)?;
    }
    if let Some(path) = line.after("ca-file") {
        let authorities = Stated::at(&line.at, program.path("ca-base", path));
        configuration.name_file(Role::ClientAuthorities, &authorities);
        listener.client_authorities = Some(authorities);
    }
    if let Some(path) = line.after("crl-file") {
        configuration
            .name_file(Role::ClientRevocationList, &Stated::at(&line.at, program.path("ca-base", path)));
    }
    listener.clients = match line.after("verify") {
        Some("required") => Some((ClientPolicy::Required, line.at.clone())),
        Some("optional") => Some((ClientPolicy::Optional, line.at.clone())),
        _ => None,
    };
    Ok(listener)
}

/// A `crt-list`: on each line a certificate, settings in brackets, and the names that it is for.
fn list(
    program: &Program,
    line: &Line,
    path: &str,
    listener: &mut Listener,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let read = texts.within(path, Some(&line.at), |_, text: &Text| Ok(text.clone()));
    let text = match read {
        Ok(text) => text,
        Err(Unreadable::File { path, source }) => {
            configuration.problem(&line.at, format!("cannot read {path}: {source}"));
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    for (number, entry) in text.text.lines().enumerate() {
        let at = text.at(number + 1);
        let entry = entry.split('#').next().unwrap_or_default();
        let (head, names) = match (entry.split_once('['), entry.rsplit_once(']')) {
            (Some((head, _)), Some((_, names))) => (head, names),
            _ => entry.trim().split_once(char::is_whitespace).unwrap_or((entry, "")),
        };
        if head.trim().is_empty() {
            continue;
        }
        let certificate = Stated::at(&at, program.path("crt-base", head.trim()));
        configuration.name_file(Role::ServerCertificate, &certificate);
        listener.identities.push(IdentityFiles { certificate, key: None });
        // A name with an exclamation mark is excluded.
        let names = names.split_whitespace().filter(|name| !name.starts_with('!') && *name != "*");
        listener.names.extend(names.map(|name| Stated::at(&at, name)));
    }
    Ok(())
}

/// An address with the host that is not written.
fn full(address: &str) -> String {
    let plain =
        ["ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"].iter().find_map(|family| address.strip_prefix(family));
    let address = plain.unwrap_or(address);
    if address.starts_with('/') {
        return format!("unix:{address}");
    }
    if let Some(path) = address.strip_prefix("unix@") {
        return format!("unix:{path}");
    }
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    match host {
        "" | "*" => format!("0.0.0.0:{port}"),
        v6 if v6.contains(':') && !v6.starts_with('[') => format!("[{v6}]:{port}"),
        host => format!("{host}:{port}"),
    }
}
