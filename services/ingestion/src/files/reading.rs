//! What came of reading an object, and what is to be remembered of it.

use chrono::DateTime;
use foretide_domain::SentinelTable;

use super::Found;
use super::layout::Format;
use super::object::ObjectError;
use super::taker::{Findings, Resume, millis};
use crate::recorder::Batch;
use crate::rows::{Reason, Refusal};
use crate::source::{Run, TableReport};
use crate::storage::{ObjectState, QuarantinedRow};
use crate::tables::RULES;

/// Position that stands for an object of which nothing can be read.
const REFUSED: u64 = u64::MAX >> 1;

/// What came of reading an object.
pub(super) struct Reading {
    pub(super) found: Found,
    pub(super) start: Resume,
    /// Its damage was written down before.
    pub(super) is_known: bool,
    pub(super) outcome: Result<(Findings, String), ObjectError>,
}

pub(super) fn is_unchanged(known: &ObjectState, found: &Found) -> bool {
    known.etag == found.etag && known.size == found.size
}

/// Whether an object was read by the rules that rows are read by now.
pub(super) fn is_read_by_these_rules(known: &ObjectState) -> bool {
    let rules = known.etag.split(' ').next();
    rules == Some(RULES)
}

/// Whether something of an object that has not changed could not be read: all of it, or the line it
/// ends with.
pub(super) fn is_damaged(known: &ObjectState, found: &Found) -> bool {
    let is_plain_text = found.placed.format != Format::Parquet && !found.placed.gzip;
    is_refused(known)
        || is_plain_text && known.consumed == known.seen && known.consumed < known.size
}

/// Whether nothing of an object could be read.
pub(super) fn is_refused(known: &ObjectState) -> bool {
    known.consumed == REFUSED
}

pub(super) fn resume_of(known: &ObjectState) -> Resume {
    if is_refused(known) {
        return Resume::default();
    }
    Resume {
        consumed: known.consumed,
        lines: known.lines,
        seen: known.seen,
        read_as_of: millis(known.read_as_of),
    }
}

/// Puts what was read into the batch and the report.
pub(super) fn take(
    table: SentinelTable,
    run: Run,
    reading: Reading,
    batch: &mut Batch,
    report: &mut TableReport,
) {
    let Reading {
        found,
        start,
        is_known,
        outcome,
    } = reading;
    report.bytes_read += unread_bytes(&found, start);
    match outcome {
        Err(ObjectError::Store(problem)) => {
            tracing::warn!(object = %found.path, %problem, "an object could not be read");
            report.trouble.push(format!("{}: {problem}", found.path));
        }
        Err(ObjectError::Refused(refusal)) => {
            let problem = format!("{}: {}: {}", found.path, refusal.reason, refusal.sample);
            report.damaged.push(problem.clone());
            if is_known {
                return;
            }
            report.first_set_aside.get_or_insert(problem);
            batch
                .entry
                .quarantined
                .push(quarantined(table, run, &found.path, 0, refusal));
            batch.entry.refused += 1;
            batch.entry.rows += 1;
            batch
                .entry
                .objects
                .push(state(&found, run, (REFUSED, REFUSED, 0), String::new()));
            report.objects_read += 1;
        }
        Ok((findings, head)) => {
            report.rows_waiting += findings.waiting;
            if let Some(line) = findings.cut_off {
                let problem = format!("{}: line {line} is cut off", found.path);
                report.damaged.push(problem);
                if is_known {
                    return;
                }
            }
            if findings.rows == 0 && findings.consumed == start.consumed {
                // nothing was taken: the object is looked at again when its rows are due
                return;
            }
            report.objects_read += 1;
            if let Some((line, refusal)) = findings.refusals.first() {
                let Refusal { reason, sample } = refusal;
                let place = format!("{} line {line}: {reason}: {sample}", found.path);
                report.first_set_aside.get_or_insert(place);
            }
            let refusals = findings.refusals.into_iter();
            batch.entry.quarantined.extend(
                refusals.map(|(line, refusal)| quarantined(table, run, &found.path, line, refusal)),
            );
            batch.entry.refused += findings.refused;
            batch.entry.rows += findings.rows;
            let newest = findings
                .newest
                .and_then(DateTime::from_timestamp_millis)
                .map(|newest| newest.min(run.as_of));
            batch.entry.watermark = batch.entry.watermark.max(newest);
            let positions = (findings.consumed, findings.seen, findings.lines);
            batch
                .entry
                .objects
                .push(state(&found, run, positions, head));
            batch.entry.met.extend(findings.met);
            batch.events.extend(findings.events);
        }
    }
}

/// Bytes of an object that are read from a position on: of text the rest, else all.
pub(super) fn unread_bytes(found: &Found, start: Resume) -> u64 {
    match (found.placed.format, found.placed.gzip) {
        (Format::JsonLines, false) => found.size.saturating_sub(start.consumed),
        _ => found.size,
    }
}

fn state(found: &Found, run: Run, positions: (u64, u64, u64), head: String) -> ObjectState {
    let (consumed, seen, lines) = positions;
    ObjectState {
        path: found.path.clone(),
        size: found.size,
        etag: found.etag.clone(),
        consumed,
        seen,
        lines,
        head,
        read_as_of: run.as_of,
    }
}

fn quarantined(
    table: SentinelTable,
    run: Run,
    object: &str,
    line: u64,
    refusal: Refusal,
) -> QuarantinedRow {
    let Refusal { reason, sample } = refusal;
    if reason == Reason::BrokenObject {
        tracing::warn!(%object, %sample, "an object was put into quarantine");
    }
    QuarantinedRow {
        table: table.name().to_owned(),
        object: object.to_owned(),
        line,
        reason: reason.word().to_owned(),
        sample,
        known_at: run.as_of,
        run_id: run.run_id,
    }
}
