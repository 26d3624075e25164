//! Which path means what.

use hyper::Method;

use super::{
    answer::Problem,
    query::{EXACT, decoded, number},
};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Landing,
    Health,
    OpenApi,
    Backends,
    Backend(String),
    Add(String),
    Script(String),
    Certificates,
    Certificate(String),
    Ledger,
    LedgerStream,
    Hellos,
    Hello(u64),
}

/// Every path of `openapi.json`, with what it takes.
#[cfg(test)]
const PATHS: &[(&str, &str)] = &[
    ("/", READ),
    ("/healthz", READ),
    ("/openapi.json", READ),
    ("/backends", READ),
    ("/backends/{name}", "GET, HEAD, PUT"),
    ("/backends/{name}/script", "POST"),
    ("/certs", READ),
    ("/certs/{file}", READ),
    ("/ledger", READ),
    ("/ledger/stream", READ),
    ("/hello", READ),
    ("/hello/{id}", READ),
];

const READ: &str = "GET, HEAD";

impl Route {
    /// What a request line asks for.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Problem> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let (allowed, route) = match segments.as_slice() {
            [""] => (READ, read(method, Self::Landing)),
            ["healthz"] => (READ, read(method, Self::Health)),
            ["openapi.json"] => (READ, read(method, Self::OpenApi)),
            ["backends"] => (READ, read(method, Self::Backends)),
            ["backends", name] => {
                let name = decoded(name)?;
                let put = (method == Method::PUT).then(|| Self::Add(name.clone()));
                ("GET, HEAD, PUT", put.or_else(|| read(method, Self::Backend(name))))
            }
            ["backends", name, "script"] => {
                let name = decoded(name)?;
                ("POST", (method == Method::POST).then_some(Self::Script(name)))
            }
            ["certs"] => (READ, read(method, Self::Certificates)),
            ["certs", file] => (READ, read(method, Self::Certificate(decoded(file)?))),
            ["ledger"] => (READ, read(method, Self::Ledger)),
            ["ledger", "stream"] => (READ, read(method, Self::LedgerStream)),
            ["hello"] => (READ, read(method, Self::Hellos)),
            ["hello", id] => (READ, read(method, Self::Hello(number("id", &decoded(id)?, EXACT)?))),
            _ => return Err(Problem::not_found(format!("nothing is at {path}; / lists what there is"))),
        };
        route.ok_or_else(|| Problem::method(allowed))
    }
}

fn read(method: &Method, route: Route) -> Option<Route> {
    matches!(*method, Method::GET | Method::HEAD).then_some(route)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_description_has_every_path_and_every_method() {
        let described: Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let described = described["paths"].as_object().unwrap();
        let known: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
        let mut paths: Vec<&str> = described.keys().map(String::as_str).collect();
        paths.sort_by_key(|path| known.iter().position(|known| known == path));
        assert_eq!(paths, known);
        for (path, allowed) in PATHS {
            let concrete =
                path.replace("{name}", "plain-good").replace("{file}", "ca.pem").replace("{id}", "1");
            for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
                let is_described = described[*path].get(method.to_lowercase()).is_some();
                assert_eq!(allowed.split(", ").any(|one| one == method), is_described, "{method} {path}");
                let route = Route::of(&method.parse().unwrap(), &concrete);
                assert_eq!(route.is_ok(), is_described, "{method} {path}");
            }
        }
    }
}
