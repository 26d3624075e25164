//! Traefik: entry points and providers of the static configuration; routers, services and transports of the dynamic one,
//! in YAML or TOML.

mod entries;
mod protocol;
mod routers;
mod rules;
mod services;

use super::{
    At, Configuration, Leg, Setting, Unreadable,
    files::{Text, Texts, folder, resolve},
    tree::Node,
};

/// Whether a text is a configuration of Traefik, static or dynamic.
pub(super) fn is_one(text: &str) -> bool {
    let begins = [
        "entrypoints",
        "[entrypoints",
        "providers:",
        "[providers",
        "serverstransport",
        "routers:",
        "[http.",
        "[tcp.",
    ];
    text.lines()
        .map(|line| line.trim().to_ascii_lowercase())
        .any(|line| begins.iter().any(|begin| line.starts_with(begin)))
}

/// Reads the static file, the dynamic files that it names, and further files that are given.
pub(super) fn read(
    paths: &[&str],
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let mut all = Vec::new();
    let mut read: Vec<String> = Vec::new();
    let mut waiting: Vec<(String, Option<At>)> =
        paths.iter().rev().map(|path| ((*path).to_owned(), None)).collect();
    while let Some((path, from)) = waiting.pop() {
        // A file that is given may be named by another as well.
        if read.contains(&path) {
            continue;
        }
        let node = match (tree(&path, from.as_ref(), texts, configuration), from) {
            (Err(Unreadable::File { path, source }), Some(at)) => {
                configuration.problem(&at, format!("cannot read {path}: {source}"));
                continue;
            }
            (node, _) => node?,
        };
        if let Some(file) = node.path("providers.file") {
            waiting.extend(
                dynamic(&path, file, texts, configuration)
                    .into_iter()
                    .rev()
                    .map(|(path, at)| (path, Some(at))),
            );
        }
        all.push(node);
        read.push(path);
    }
    for (name, provider) in all.iter().filter_map(|node| node.get("providers")).flat_map(Node::entries) {
        if !matches!(name.to_ascii_lowercase().as_str(), "file" | "providersthrottleduration" | "precedence")
        {
            configuration.problem(&provider.at, format!("what the provider {name} knows stands in no file"));
        }
    }
    routers::read(&Files(all), configuration);
    Ok(())
}

/// The files of the provider `file`: one, or all of a folder.
fn dynamic(
    main: &str,
    file: &Node,
    texts: &Texts<'_>,
    configuration: &mut Configuration,
) -> Vec<(String, At)> {
    // Relative paths begin where the program is started, which is mostly the folder of its configuration.
    let place = |path: &str| {
        if texts.exists(path) {
            path.to_owned()
        } else {
            resolve(folder(main), path.trim_start_matches("./"))
        }
    };
    let mut paths: Vec<(String, At)> = Vec::new();
    if let Some(path) = file.stated("filename") {
        paths.push((place(&path.value), path.at));
    }
    if let Some(path) = file.stated("directory") {
        let mut folders = vec![place(path.value.trim_end_matches('/'))];
        // A link to a folder above could go on for ever.
        let mut looked_at = 0_usize;
        while let Some(folder) = folders.pop().filter(|_| looked_at < MOST_FILES) {
            looked_at += 1;
            for name in texts.names(&folder) {
                let inner = format!("{folder}/{name}");
                if [".yml", ".yaml", ".toml"].iter().any(|extension| name.ends_with(extension)) {
                    paths.push((inner, path.at.clone()));
                } else if !texts.names(&inner).is_empty() {
                    folders.push(inner);
                }
            }
        }
        if paths.is_empty() {
            configuration.problem(
                &path.at,
                format!("{} has no file with the extension yml, yaml or toml", path.value),
            );
        }
    }
    paths
}

/// How many folders are looked into.
const MOST_FILES: usize = 1_000;

fn tree(
    path: &str,
    from: Option<&At>,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<Node, Unreadable> {
    texts.within(path, from, |_, text: &Text| {
        // The provider `file` runs its files through Go's templates.
        if let Some((line, _)) = text.text.lines().enumerate().find(|(_, line)| line.contains("{{")) {
            configuration
                .problem(&text.at(line + 1), "a template, whose values are not known: its file is not read");
            return Node::of_yaml(&Text { text: String::new(), ..text.clone() });
        }
        if path.ends_with(".toml") { Node::of_toml(text) } else { Node::of_yaml(text) }
    })
}

/// The files of a configuration as one.
struct Files(Vec<Node>);

impl Files {
    /// The value at the end of a path, of the first file that has it.
    fn path(&self, path: &str) -> Option<&Node> {
        self.0.iter().find_map(|node| node.path(path))
    }

    /// The members of the maps at the end of a path, in all files.
    fn entries(&self, path: &str) -> impl Iterator<Item = &(String, Node)> {
        self.0.iter().filter_map(|node| node.path(path)).flat_map(Node::entries)
    }

    /// A member that is named with or without its provider.
    fn named(&self, path: &str, name: &str) -> Option<&Node> {
        let plain = name.strip_suffix("@file").unwrap_or(name);
        self.entries(path).find(|(key, _)| key == plain).map(|(_, node)| node)
    }
}

/// The field of a `serversTransport` that gives a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let host = leg.host_name();
    Some(match setting {
        Setting::Verification => "insecureSkipVerify: false".to_owned(),
        Setting::Trust => "rootCAs: [ /etc/ssl/certs/ca-certificates.crt ]".to_owned(),
        Setting::CheckedName | Setting::Sni => format!("serverName: {host}"),
        Setting::Certificate | Setting::Key => {
            "certificates: [ { certFile: CERTIFICATE.pem, keyFile: KEY.pem } ]".to_owned()
        }
        Setting::Versions => "minVersion: VersionTLS12".to_owned(),
        Setting::Ciphers => {
            "cipherSuites: [ TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ]"
                .to_owned()
        }
        Setting::KeepAlive => "maxIdleConnsPerHost: -1".to_owned(),
        Setting::Dates
        | Setting::RevocationList
        | Setting::Depth
        | Setting::Retries
        | Setting::HealthCheck => return None,
    })
}
