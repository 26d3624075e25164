//! A server of nginx, as its legs need it, and the files that directives name.

use super::{
    super::{Configuration, Role, Stated, Url, files::resolve},
    Context, Protocol,
    directives::Directive,
};

/// A server, and where it is reached.
pub(super) struct Server<'a> {
    pub(super) block: &'a Directive,
    /// Its place among the listeners of the configuration.
    pub(super) listener: usize,
    pub(super) tls: bool,
    pub(super) port: u16,
    /// The host name of its URLs.
    pub(super) host: String,
    /// The value of `$server_name`.
    pub(super) name: String,
}

impl Server<'_> {
    /// Whether a name is one of its own, or below one with a star.
    pub(super) fn serves(&self, name: &str) -> bool {
        names(self.block).iter().any(|own| {
            let below = own
                .value
                .strip_prefix('*')
                .or_else(|| own.value.starts_with('.').then_some(own.value.as_str()));
            own.value == name || below.is_some_and(|domain| name.ends_with(domain))
        })
    }

    pub(super) fn url(&self, protocol: Protocol, path: &str) -> Url {
        let scheme = match (protocol, self.tls) {
            (Protocol::Http, true) => "https",
            (Protocol::Http, false) => "http",
            (Protocol::Stream, true) => "tls",
            (Protocol::Stream, false) => "tcp",
        };
        Url { scheme, host: self.host.clone(), port: self.port, path: path.to_owned() }
    }
}

/// The names of a server; `_` and the empty one are idioms for none.
pub(super) fn names(block: &Directive) -> Vec<Stated> {
    let named = block.inside().iter().filter(|directive| directive.name == "server_name");
    let words = named.flat_map(|each| each.arguments.iter().map(|name| Stated::at(&each.at, name)));
    words.filter(|name| !matches!(name.value.as_str(), "_" | "")).collect()
}

/// The file that a directive names, kept with its role; what is no path of a file stays as it is.
pub(super) fn file(
    context: &Context<'_>,
    directive: &Directive,
    role: Role,
    configuration: &mut Configuration,
) -> Stated {
    let path = directive.first();
    if path.contains('$') {
        configuration.problem(&directive.at, format!("{} depends on the request: {path}", directive.name));
        return Stated::at(&directive.at, path);
    }
    if ["data:", "engine:", "store:"].iter().any(|scheme| path.starts_with(scheme)) {
        return Stated::at(&directive.at, path);
    }
    let stated = Stated::at(&directive.at, resolve(context.prefix, path));
    configuration.name_file(role, &stated);
    stated
}
