//! The ledger as it is written: server-sent events (HTML standard, section 9.2).

use std::{convert::Infallible, sync::Arc};

use axum::response::{IntoResponse, Response, Sse, sse::Event};
use futures_util::{StreamExt, stream};
use hyper::HeaderMap;

use super::{Follower, State, chronicle::Entry, query::Wanted};
use crate::http::Problem;

/// Every entry that is wanted, first those that are there, each with its number as its `id`. A caller who comes
/// back says which one was the last (`Last-Event-ID`).
pub(super) fn events(
    state: Arc<State>,
    mut wanted: Wanted,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if let Some(last) = headers.get("last-event-id") {
        let number = last.to_str().ok().and_then(|last| last.parse().ok());
        wanted.since =
            number.ok_or_else(|| Problem::bad_request("Last-Event-ID is not the number of an entry"))?;
    }
    let entries = stream::unfold(Follower::of(state, wanted), |mut follower| async {
        let entries = follower.next().await?;
        Some((stream::iter(entries), follower))
    });
    Ok(Sse::new(entries.flatten().map(|entry| Ok::<_, Infallible>(event(&entry)))).into_response())
}

fn event(entry: &Entry) -> Event {
    // An entry is made of words and numbers; there is nothing that JSON could not say.
    let data = serde_json::to_string(entry).unwrap_or_default();
    Event::default().id(entry.sequence.to_string()).event("connection").data(data)
}
