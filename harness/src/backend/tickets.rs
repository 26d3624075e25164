//! The keys of tickets, which change with the connections of a backend.

use std::sync::OnceLock;

use openssl::{
    error::ErrorStack,
    ex_data::Index,
    rand::rand_bytes,
    sha::{Sha256, sha256},
    ssl::{Ssl, SslContextBuilder},
};
use tls_gauntlet_scenarios::Sessions;

use crate::ffi::{self, TicketKeys};

/// The keys of one connection, by number: the one that it makes tickets with, and the oldest that it accepts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    current: u64,
    oldest: u64,
}

impl Keys {
    /// The keys of a backend's nth connection, where this module chooses them.
    pub(super) fn of(sessions: Sessions, connection: u64) -> Option<Self> {
        match sessions {
            Sessions::Ids | Sessions::TicketsRefused => None,
            Sessions::Tickets => Some(Self { current: 0, oldest: 0 }),
            Sessions::TicketKeyRotated => Some(Self { current: connection, oldest: connection }),
            Sessions::TicketKeysOverlap => {
                Some(Self { current: connection, oldest: connection.saturating_sub(1) })
            }
        }
    }
}

/// Lets the connections of a context have keys of their own.
pub(super) fn install(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // Drawn now, because it can fail.
    if SECRET.get().is_none() {
        let mut secret = [0; 32];
        rand_bytes(&mut secret)?;
        let _ = SECRET.set(secret);
    }
    ffi::choose_ticket_keys::<Keys>(context)
}

/// Gives a connection its keys.
pub(super) fn attach(ssl: &mut Ssl, keys: Keys) {
    ssl.set_ex_data(Keys::index(), keys);
}

/// The secret from which all keys of this process are made, so that contexts with different certificates share them.
static SECRET: OnceLock<[u8; 32]> = OnceLock::new();

impl TicketKeys for Keys {
    fn index() -> Index<Ssl, Self> {
        static INDEX: OnceLock<Index<Ssl, Keys>> = OnceLock::new();
        // Fails only if memory for one pointer cannot be had.
        *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL gives out an index"))
    }

    /// The number, and eight bytes that say whose it is.
    fn current(&self) -> [u8; 16] {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&self.current.to_be_bytes());
        name[8..].copy_from_slice(&sha256(SECRET.get().unwrap_or(&[0; 32]))[..8]);
        name
    }

    fn accepts(&self, name: [u8; 16]) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = name;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        name[8..] == self.current()[8..] && (self.oldest..=self.current).contains(&number)
    }

    fn key(&self, name: [u8; 16]) -> [u8; 64] {
        let mut key = [0; 64];
        for (half, part) in key.chunks_exact_mut(32).zip([b'e', b'a']) {
            let mut hash = Sha256::new();
            hash.update(SECRET.get().unwrap_or(&[0; 32]));
            hash.update(&name);
            hash.update(&[part]);
            half.copy_from_slice(&hash.finish());
        }
        key
    }
}
