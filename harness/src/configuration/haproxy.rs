//! HAProxy: frontends and what they are bound to, backends and the settings of their servers.

mod binds;
mod conditions;
mod routes;
mod sections;
mod servers;

use sections::{Line, Section};

use super::{
    Configuration, Leg, Setting, Unreadable,
    files::{Text, Texts, resolve},
};

/// Whether a text is a configuration of HAProxy: a section that has a line of its own.
pub(super) fn is_one(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
    lines.any(|line| {
        let mut words = line.split_whitespace();
        let kind = matches!(words.next(), Some("global" | "defaults" | "frontend" | "backend" | "listen"));
        kind && !line.ends_with([';', '{']) && words.count() <= 3
    })
}

/// Reads the files that HAProxy is started with, in their order.
pub(super) fn read(
    paths: &[&str],
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let mut all = Vec::new();
    for path in paths {
        // Of a folder, the files with the extension, in the order of their names (management guide, 3: `-f`).
        let names =
            texts.names(path).into_iter().filter(|name| name.ends_with(".cfg") && !name.starts_with('.'));
        let mut files: Vec<String> =
            names.map(|name| format!("{}/{name}", path.trim_end_matches('/'))).collect();
        if files.is_empty() {
            files.push((*path).to_owned());
        }
        for file in files {
            texts.within(&file, None, |_, text: &Text| sections::read(text, &mut all, configuration))?;
        }
    }
    let program = Program { sections: all };
    for section in &program.sections {
        if matches!(section.kind.as_str(), "frontend" | "listen") {
            routes::read(&program, section, texts, configuration)?;
        }
        if matches!(section.kind.as_str(), "crt-store" | "fcgi-app") {
            configuration.problem(&section.at, format!("a section {} is not read", section.kind));
        }
    }
    Ok(())
}

/// The whole configuration.
struct Program {
    sections: Vec<Section>,
}

impl Program {
    /// The last line of the section `global` that begins with a keyword.
    fn global(&self, keyword: &str) -> Option<&Line> {
        let global = self.sections.iter().filter(|section| section.kind == "global");
        global.flat_map(|section| &section.lines).rfind(|line| line.word(0) == keyword)
    }

    /// The section of a backend.
    fn backend(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| matches!(section.kind.as_str(), "backend" | "listen") && section.name == name)
    }

    /// The line that holds in a proxy: its own last one, or the last of its `defaults`.
    fn line<'s>(&'s self, section: &'s Section, keyword: &str) -> Option<&'s Line> {
        let last = |section: &'s Section| section.lines.iter().rfind(|line| starts(line, keyword));
        last(section)
            .or_else(|| section.defaults.and_then(|defaults| self.line(&self.sections[defaults], keyword)))
    }

    /// `tcp` or `http`; the vendor's default is `tcp`.
    fn is_http(&self, section: &Section) -> bool {
        self.line(section, "mode").is_some_and(|line| line.word(1) == "http")
    }

    /// A path in the folder that the section `global` names for its kind.
    fn path(&self, base: &str, path: &str) -> String {
        let folder = self.global(base).map_or("", |line| line.word(1));
        if path.starts_with('@') { path.to_owned() } else { resolve(folder.trim_end_matches('/'), path) }
    }
}

/// Whether a line begins with a keyword of one or two words.
fn starts(line: &Line, keyword: &str) -> bool {
    keyword.split(' ').enumerate().all(|(number, word)| line.word(number) == word)
}

/// The words of the `server` line that give a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let host = leg.host_name();
    Some(match setting {
        Setting::Verification => "verify required".to_owned(),
        Setting::Trust => "ca-file /etc/ssl/certs/ca-certificates.crt".to_owned(),
        Setting::CheckedName => format!("verifyhost {host} sni str({host})"),
        Setting::Sni => format!("sni str({host})"),
        Setting::Certificate | Setting::Key => "crt CERTIFICATE-AND-KEY.pem".to_owned(),
        Setting::Versions => "ssl-min-ver TLSv1.2".to_owned(),
        Setting::Ciphers => "ciphers ECDHE+AESGCM:ECDHE+CHACHA20".to_owned(),
        Setting::RevocationList => "crl-file LIST.pem".to_owned(),
        Setting::KeepAlive => "http-reuse never".to_owned(),
        Setting::Retries => "retries 0".to_owned(),
        Setting::Dates | Setting::Depth | Setting::HealthCheck => return None,
    })
}
