//! Sessions that are kept from one connection to the next.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use openssl::{
    error::ErrorStack,
    ex_data::Index,
    ssl::{Ssl, SslContextBuilder, SslOptions, SslSessionCacheMode},
};

use crate::ffi::Resumable;

/// The session that the next connection is to offer: the last one that a server has given out.
#[derive(Clone, Default)]
pub(crate) struct KeptSession(Arc<Mutex<Option<Resumable>>>);

impl KeptSession {
    /// Lets a connection offer what is kept, and keep what it is given.
    pub(super) fn attach(&self, ssl: &mut Ssl) -> Result<(), ErrorStack> {
        let session = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(session) = session {
            session.offer(ssl)?;
        }
        ssl.set_ex_data(*index(), self.clone());
        Ok(())
    }
}

impl fmt::Debug for KeptSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSession")
    }
}

/// Lets the connections of a context keep their sessions. In TLS 1.3 tickets come after the handshake, as many as the
/// server likes (RFC 8446 4.6.1); the last one stays.
pub(super) fn keep(context: &mut SslContextBuilder) {
    context.clear_options(SslOptions::NO_TICKET);
    context.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
    context.set_new_session_callback(|ssl, session| {
        if let Some(kept) = ssl.ex_data(*index()) {
            *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Resumable::new(ssl, session));
        }
    });
}

fn index() -> &'static Index<Ssl, KeptSession> {
    static INDEX: OnceLock<Index<Ssl, KeptSession>> = OnceLock::new();
    // Fails only if memory for one pointer cannot be had.
    INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL gives out an index"))
}
