//! `gauntlet serve --watch`: the ledger on the terminal, as it is written.

use crate::{
    cli::{
        failure::{Failure, work_error},
        streams,
        teller::Teller,
    },
    control::{Entry, Follower},
    printable,
    report::{Detail, connection},
};

/// Names are rarely longer.
const WIDEST: usize = 28;

/// Prints each connection that has ended, a line or a JSON object, until there will be none any more.
pub(super) async fn watch(mut follower: Follower, names: &[String], as_json: bool) -> Result<(), Failure> {
    let (look, teller) = (streams::look(Detail::Normal), Teller::to_stdout());
    let column = names.iter().map(String::len).max().unwrap_or(0).min(WIDEST);
    while let Some(entries) = follower.next().await {
        for entry in entries {
            let line = if as_json {
                serde_json::to_string(&*entry)
                    .map_err(|error| work_error!("cannot write a connection as JSON: {error}"))?
            } else {
                connection::line(time_of_day(&entry), entry.backend.as_deref(), &entry.saw, column, look)
            };
            teller.tell(&printable::painted(&line)).map_err(|error| streams::not_written(&error))?;
        }
    }
    Ok(())
}

/// `12:00:03` out of `2026-03-01T12:00:03.123Z`.
fn time_of_day(entry: &Entry) -> &str {
    entry.time.get(11..19).unwrap_or(&entry.time)
}
