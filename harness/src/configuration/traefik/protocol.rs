//! The protocols that Traefik routes.

/// `http` or `tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Tcp,
}

impl Protocol {
    /// A path of the dynamic configuration.
    pub(super) fn path(self, rest: &str) -> String {
        match self {
            Self::Http => format!("http.{rest}"),
            Self::Tcp => format!("tcp.{rest}"),
        }
    }
}
