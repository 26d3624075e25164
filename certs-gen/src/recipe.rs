//! The words: which certificates there are, and what is wrong with each.

mod client;
mod server;

pub use client::ClientRecipe;
pub use server::ServerRecipe;

use crate::Error;

/// What there is to say about a recipe.
struct Words {
    name: &'static str,
    summary: &'static str,
    clause: &'static str,
}

/// Finds a word in a list, or says what the list has.
pub(crate) fn pick<T: Copy>(
    kind: &'static str,
    word: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, Error> {
    all.iter().copied().find(|&one| as_str(one) == word).ok_or_else(|| {
        let known = all.iter().map(|&one| as_str(one)).collect::<Vec<_>>().join(", ");
        Error::Unknown { kind, word: word.to_owned(), known }
    })
}
