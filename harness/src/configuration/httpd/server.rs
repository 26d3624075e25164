//! A server of httpd, as its legs need it, and the files that directives name.

use super::{
    super::{Configuration, Role, Stated, Url, files::resolve},
    Scope,
    directives::Directive,
};

/// A server: a virtual host, or the main one.
pub(super) struct Server {
    /// Its place among the listeners of the configuration.
    pub(super) listener: usize,
    pub(super) url: Url,
}

impl Server {
    pub(super) fn url(&self, path: &str) -> Url {
        Url { path: path.to_owned(), ..self.url.clone() }
    }
}

/// The file that a directive names, kept with its role.
pub(super) fn file(
    scope: &Scope<'_>,
    directive: &Directive,
    role: Role,
    configuration: &mut Configuration,
) -> Stated {
    let path = directive.first();
    // A key of a token, or a program that prints a password, is no path.
    if ["pkcs11:", "exec:", "builtin"].iter().any(|scheme| path.starts_with(scheme)) || path.contains("${") {
        return Stated::at(&directive.at, path);
    }
    let stated = Stated::at(&directive.at, resolve(scope.root, path));
    configuration.name_file(role, &stated);
    stated
}
