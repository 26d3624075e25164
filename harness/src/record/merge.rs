//! Joins the records of one run's shards into the record that the whole run would have made. Nothing is guessed: what
//! does not fit together is refused, and named.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{CellRecord, GatewayFacts, RunRecord, Timing, shard::split_digest};

/// A record and what its reader calls it, usually a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is called.
    pub name: String,
    /// The record.
    pub record: RunRecord,
}

/// Why records cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to join.
    #[error("there is no record to merge")]
    Nothing,
    /// A part is absent.
    #[error("no record holds {}; run {} and merge again", parts(.missing, .of), if .missing.len() == 1 { "it" } else { "them" })]
    Hole {
        /// The parts that are absent.
        missing: Vec<u32>,
        /// How many there should be.
        of: u32,
    },
    /// A cell that some part should have is in none of them.
    #[error("{0} do not hold the cells that the run was cut into; one was changed after the run")]
    Changed(String),
    /// A part is there twice.
    #[error("shard {part} is in {first} and in {second}; pass each part once")]
    Twice {
        /// Which part.
        part: String,
        /// Where it is.
        first: String,
        /// Where it is as well.
        second: String,
    },
    /// A cell is in two records.
    #[error("the cell {cell} is in {first} and in {second}; records that overlap cannot be joined")]
    Overlap {
        /// Its name.
        cell: String,
        /// Where it is.
        first: String,
        /// Where it is as well.
        second: String,
    },
    /// Two records are not of one run.
    #[error("{first} has {left}, {second} has {right}; {remedy}")]
    Foreign {
        /// The first record.
        first: String,
        /// What it has.
        left: String,
        /// The other.
        second: String,
        /// What the other has.
        right: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A record says that it began at no time.
    #[error("{name}: \"{started}\" is not a time as RFC 3339 writes it")]
    Time {
        /// The record.
        name: String,
        /// Its time.
        started: String,
    },
}

/// One record out of several: of all shards of a run, or of whole runs that have no cell in common. The order in which
/// they come makes no difference.
///
/// # Errors
/// [`MergeError`] when they do not make a whole, or do not belong together.
pub fn merge(mut records: Vec<Named>) -> Result<RunRecord, MergeError> {
    records.sort_by_cached_key(|named| {
        let record = &named.record;
        let part = record.shard.as_ref().map(|shard| (shard.of, shard.part));
        let first = record.cells.first().map(|cell| cell.id.clone());
        (part, first, record.started.clone(), named.name.clone())
    });
    let Some(first) = records.first() else { return Err(MergeError::Nothing) };
    for other in &records[1..] {
        of_one_run(first, other)?;
    }
    check_parts(&records)?;
    let cells = join_cells(&records)?;
    check_split(&records)?;
    let (started, duration_ms) = span(&records)?;
    let mut gateways = Vec::new();
    for gateway in records.iter().flat_map(|named| &named.record.gateways) {
        if !gateways.contains(gateway) {
            gateways.push(gateway.clone());
        }
    }
    let one = &first.record;
    Ok(RunRecord {
        schema: one.schema.clone(),
        tool: one.tool.clone(),
        seed: one.seed,
        started,
        duration_ms,
        shard: None,
        timings: timings(&records),
        gateways,
        summary: RunRecord::summarise(&cells),
        cells,
        partial: records.iter().find_map(|named| named.record.partial.clone()),
        trouble: records.iter().flat_map(|named| named.record.trouble.clone()).collect(),
        allows_unclaimed: records.iter().any(|named| named.record.allows_unclaimed),
        baseline: None,
        legs: records.iter().flat_map(|named| named.record.legs.clone()).collect(),
    })
}

fn of_one_run(first: &Named, other: &Named) -> Result<(), MergeError> {
    let differ = |left, right, remedy| {
        let (first, second) = (first.name.clone(), other.name.clone());
        Err(MergeError::Foreign { first, left, second, right, remedy })
    };
    let (left, right) = (&first.record, &other.record);
    if left.tool != right.tool {
        let tool = |record: &RunRecord| format!("{} {}", record.tool.name, record.tool.version);
        return differ(tool(left), tool(right), "run all parts with one version");
    }
    if left.seed != right.seed {
        let seed = |record: &RunRecord| format!("the seed {}", record.seed);
        return differ(seed(left), seed(right), "run all parts with the same --seed");
    }
    for gateway in &left.gateways {
        let same_name = right.gateways.iter().find(|other| other.name == gateway.name);
        if let Some(other) = same_name.filter(|other| *other != gateway) {
            let version = |gateway: &GatewayFacts| format!("{} {}", gateway.name, gateway.version);
            return differ(version(gateway), version(other), "run all parts with the same gateways");
        }
    }
    let remedy = "run all parts with the same gateways, suites, filters and --costs";
    match (&left.shard, &right.shard) {
        (Some(left), Some(right)) if (left.of, &left.split) != (right.of, &right.split) => {
            differ(format!("shard {left}"), format!("shard {right} of another split"), remedy)
        }
        (Some(shard), None) => differ(format!("shard {shard}"), "a whole run".to_owned(), remedy),
        (None, Some(shard)) => differ("a whole run".to_owned(), format!("shard {shard}"), remedy),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

/// Every part of the whole, once.
fn check_parts(records: &[Named]) -> Result<(), MergeError> {
    let mut parts: BTreeMap<u32, &str> = BTreeMap::new();
    let mut of = 0;
    for Named { name, record } in records {
        let Some(shard) = &record.shard else { continue };
        of = shard.of;
        if let Some(first) = parts.insert(shard.part, name) {
            return Err(MergeError::Twice {
                part: shard.to_string(),
                first: first.to_owned(),
                second: name.clone(),
            });
        }
    }
    let missing: Vec<u32> = (1..=of).filter(|part| !parts.contains_key(part)).collect();
    if missing.is_empty() { Ok(()) } else { Err(MergeError::Hole { missing, of }) }
}

fn join_cells(records: &[Named]) -> Result<Vec<CellRecord>, MergeError> {
    let mut joined: BTreeMap<&str, (&str, &CellRecord)> = BTreeMap::new();
    for Named { name, record } in records {
        for cell in &record.cells {
            if let Some((first, _)) = joined.insert(&cell.id, (name, cell)) {
                return Err(MergeError::Overlap {
                    cell: cell.id.clone(),
                    first: first.to_owned(),
                    second: name.clone(),
                });
            }
        }
    }
    Ok(joined.into_values().map(|(_, cell)| cell.clone()).collect())
}

/// Checks that the parts hold the cells that the split gave them: then no cell was lost.
fn check_split(records: &[Named]) -> Result<(), MergeError> {
    let mut given = BTreeMap::new();
    let mut split = None;
    for Named { record, .. } in records {
        let Some(shard) = &record.shard else { continue };
        split = Some(&shard.split);
        given.extend(record.cells.iter().map(|cell| (cell.id.clone(), shard.part)));
    }
    if split.is_none_or(|split| *split == split_digest(&given)) {
        return Ok(());
    }
    let names: Vec<_> = records.iter().map(|named| named.name.as_str()).collect();
    Err(MergeError::Changed(names.join(" and ")))
}

/// From the beginning of the first to the end of the last.
fn span(records: &[Named]) -> Result<(String, u64), MergeError> {
    let mut begin: Option<(OffsetDateTime, &str)> = None;
    let mut end: Option<OffsetDateTime> = None;
    for Named { name, record } in records {
        let wrong = || MergeError::Time { name: name.clone(), started: record.started.clone() };
        let started = OffsetDateTime::parse(&record.started, &Rfc3339).map_err(|_| wrong())?;
        let milliseconds = i64::try_from(record.duration_ms).unwrap_or(i64::MAX);
        let ended = started.checked_add(Duration::milliseconds(milliseconds)).ok_or_else(wrong)?;
        if begin.is_none_or(|(first, _)| started < first) {
            begin = Some((started, &record.started));
        }
        end = end.max(Some(ended));
    }
    let (Some((begin, text)), Some(end)) = (begin, end) else { return Err(MergeError::Nothing) };
    Ok((text.to_owned(), u64::try_from((end - begin).whole_milliseconds()).unwrap_or(u64::MAX)))
}

/// What each stage took, summed over the records.
fn timings(records: &[Named]) -> Vec<Timing> {
    let mut timings: Vec<Timing> = Vec::new();
    for timing in records.iter().flat_map(|named| &named.record.timings) {
        match timings.iter_mut().find(|known| known.stage == timing.stage) {
            Some(known) => known.duration_ms += timing.duration_ms,
            None => timings.push(timing.clone()),
        }
    }
    timings
}

/// `shard 2/7`, `shards 2/7 and 3/7`.
fn parts(missing: &[u32], of: &u32) -> String {
    let each: Vec<_> = missing.iter().map(|part| format!("{part}/{of}")).collect();
    match &each[..] {
        [one] => format!("shard {one}"),
        several => format!("shards {}", several.join(", ")),
    }
}
