//! The ledger as it is written: server-sent events (HTML standard, section 9.2).

use std::{convert::Infallible, sync::Arc};

use super::{
    Follower, State,
    answer::{Body, Problem},
    chronicle::Entry,
    query::Wanted,
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    HeaderMap, Response,
    body::Frame,
    header::{CONTENT_TYPE, HeaderValue},
};

/// Every entry that is wanted, those that are there at once, each with its number as its `id`. A caller who comes
/// back says which one was the last (`Last-Event-ID`).
pub(super) async fn events(
    state: Arc<State>,
    mut wanted: Wanted,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    if let Some(last) = headers.get("last-event-id") {
        let number = last.to_str().ok().and_then(|last| last.parse().ok());
        wanted.since =
            number.ok_or_else(|| Problem::bad_request("Last-Event-ID is not the number of an entry"))?;
    }
    let events = stream::unfold(Follower::of(state, wanted), next);
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// The next events, as soon as there are any.
async fn next(mut follower: Follower) -> Option<(Result<Frame<Bytes>, Infallible>, Follower)> {
    let entries = follower.next().await?;
    let text: String = entries.iter().map(|entry| event(entry)).collect();
    Some((Ok(Frame::data(text.into())), follower))
}

fn event(entry: &Entry) -> String {
    // An entry is made of words and numbers; there is nothing that JSON could not say.
    let data = serde_json::to_string(entry).unwrap_or_default();
    format!("id: {}\nevent: connection\ndata: {data}\n\n", entry.sequence)
}
