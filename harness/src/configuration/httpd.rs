//! Apache httpd: virtual hosts, what `ProxyPass` and its relatives lead to, and what `SSLProxy…` says of it.

mod directives;
mod hosts;
mod legs;
mod pass;
mod passes;
mod server;

use directives::Directive;

use super::{Configuration, Leg, Setting, Unreadable, files::Texts};

/// Whether a text is a configuration of httpd: a directive or a section that no other gateway has.
pub(super) fn is_one(text: &str) -> bool {
    let begins = [
        "<virtualhost",
        "<proxy",
        "<location",
        "<directory",
        "<ifmodule",
        "loadmodule ",
        "serverroot ",
        "proxypass ",
        "sslproxy",
        "includeoptional ",
    ];
    text.lines()
        .map(|line| line.trim().to_ascii_lowercase())
        .any(|line| begins.iter().any(|begin| line.starts_with(begin)))
}

/// Reads `httpd.conf` and what it includes.
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let (root, main) = directives::read(path, texts, configuration)?;
    hosts::read(&root, &main, configuration);
    Ok(())
}

/// The blocks around a directive, outermost first, and the folder where relative paths begin.
#[derive(Debug, Clone)]
struct Scope<'a> {
    root: &'a str,
    blocks: Vec<&'a [Directive]>,
}

impl<'a> Scope<'a> {
    fn inner(&self, block: &'a [Directive]) -> Self {
        Self { root: self.root, blocks: self.blocks.iter().copied().chain([block]).collect() }
    }

    /// The directive that holds here: the last of the innermost block that has it.
    fn find(&self, name: &str) -> Option<&'a Directive> {
        self.blocks.iter().rev().find_map(|block| block.iter().rfind(|directive| directive.name == name))
    }

    /// The directives of that name, those of the innermost block first.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a Directive> {
        self.blocks
            .iter()
            .rev()
            .flat_map(|block| block.iter())
            .filter(move |directive| directive.name == name)
    }

    fn is_on(&self, name: &str) -> bool {
        self.find(name).is_some_and(|directive| directive.first().eq_ignore_ascii_case("on"))
    }
}

/// The directive that gives a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let text = match setting {
        Setting::Verification => "SSLProxyVerify require",
        Setting::Trust => "SSLProxyCACertificateFile /etc/ssl/certs/ca-certificates.crt",
        Setting::CheckedName => "SSLProxyCheckPeerName on",
        // The host of the URL is the name that is sent, unless the client's takes its place.
        Setting::Sni if leg.host_name() != "HOST" => "ProxyPreserveHost Off",
        Setting::Certificate | Setting::Key => "SSLProxyMachineCertificateFile CERTIFICATE-AND-KEY.pem",
        Setting::Versions => "SSLProxyProtocol -all +TLSv1.2 +TLSv1.3",
        Setting::Ciphers => "SSLProxyCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20",
        Setting::RevocationList => "SSLProxyCARevocationCheck chain, SSLProxyCARevocationFile LIST.pem",
        Setting::Depth => "SSLProxyVerifyDepth 3",
        Setting::KeepAlive => "ProxySet disablereuse=On",
        // `SSLProxyVerify require` checks the dates, whatever SSLProxyCheckPeerExpire says.
        Setting::Dates | Setting::Sni | Setting::Retries | Setting::HealthCheck => return None,
    };
    Some(text.to_owned())
}
