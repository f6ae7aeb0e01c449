//! Decides, row by row, what is taken now, what waits and what is refused.

use chrono::{DateTime, Utc};
use foretide_domain::SentinelTable;

use super::plan::ReadPlan;
use crate::event::{Event, Stream};
use crate::pseudonym::Met;
use crate::rows::{Reason, Record, Refusal};

/// Most refused rows of one object that are kept one by one; all are counted.
const MAX_KEPT_REFUSALS: usize = 500;

/// Where reading goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// Everything before this position is done.
    pub(super) consumed: u64,
    /// Lines before it.
    pub(super) lines: u64,
    /// Rows before this position that were logged by `read_as_of` are done.
    pub(super) seen: u64,
    /// See `seen`, milliseconds since 1970.
    pub(super) read_as_of: i64,
}

/// What was found in an object.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) events: Vec<(Stream, Event)>,
    pub(super) refusals: Vec<(u64, Refusal)>,
    pub(super) refused: u64,
    pub(super) rows: u64,
    pub(super) waiting: u64,
    pub(super) newest: Option<i64>,
    pub(super) consumed: u64,
    pub(super) seen: u64,
    pub(super) lines: u64,
    /// The line that is cut off at the end, if one is.
    pub(super) cut_off: Option<u64>,
    pub(super) met: Vec<Met>,
}

/// Takes the rows of one object.
pub(super) struct Taker<'a> {
    plan: &'a ReadPlan,
    resume: Resume,
    findings: Findings,
    first_waiting: Option<(u64, u64)>,
    cut_off: Option<(u64, u64)>,
}

impl<'a> Taker<'a> {
    pub(super) fn new(plan: &'a ReadPlan, resume: Resume) -> Self {
        Self {
            plan,
            resume,
            findings: Findings::default(),
            first_waiting: None,
            cut_off: None,
        }
    }

    /// Takes a row that begins at the position; `line` counts from 1.
    pub(super) fn row(
        &mut self,
        position: u64,
        line: u64,
        record: Result<Record<'_>, Refusal>,
        raw: &[u8],
    ) {
        let was_seen = position < self.resume.seen;
        if position < self.resume.consumed {
            return;
        }
        let mut record = match record {
            Ok(record) => record,
            Err(refusal) => return self.refuse(was_seen, line, refusal),
        };
        self.plan.translate(&mut record);
        let times = match self.plan.times(&record, raw) {
            Ok(times) => times,
            Err(refusal) => return self.refuse(was_seen, line, refusal),
        };
        if times.arrived > self.plan.as_of {
            self.wait(position, line);
            return;
        }
        if was_seen && times.arrived <= self.resume.read_as_of {
            return;
        }
        let events = &mut self.findings.events;
        match self.plan.events(&record, times, raw, events) {
            Ok(()) => {
                let newest = match (events.last(), self.plan.table) {
                    (Some((_, event)), Some(SentinelTable::Usage)) => event.event_time,
                    _ => times.generated,
                };
                self.findings.newest = self.findings.newest.max(Some(newest));
                self.findings.rows += 1;
            }
            Err(refusal) => self.refuse(false, line, refusal),
        }
    }

    /// A row that begins here and is not complete yet: it waits for its rest, unless there will be
    /// none any more.
    pub(super) fn incomplete(&mut self, position: u64, line: u64, raw: &[u8], is_final: bool) {
        if is_final {
            self.refuse(false, line, Refusal::of_row(Reason::TruncatedLine, raw));
            self.cut_off = Some((position, line));
        } else {
            self.wait(position, line);
        }
    }

    /// What was found, at the end of the object. A line that is cut off stays unread: should the
    /// object be completed, the whole line is.
    pub(super) fn finish(mut self, end: u64, lines: u64) -> Findings {
        let cut_off = self.cut_off;
        self.findings.cut_off = cut_off.map(|(_, line)| line);
        let (end, lines) = cut_off.map_or((end, lines), |(start, line)| {
            (start, line.saturating_sub(1))
        });
        let (consumed, done) = self.first_waiting.unwrap_or((end, lines));
        self.findings.consumed = consumed;
        self.findings.lines = done;
        self.findings.seen = end;
        self.findings.met = self.plan.take_met();
        self.findings
    }

    fn wait(&mut self, position: u64, line: u64) {
        self.findings.waiting += 1;
        self.first_waiting
            .get_or_insert((position, line.saturating_sub(1)));
    }

    fn refuse(&mut self, was_seen: bool, line: u64, refusal: Refusal) {
        if was_seen {
            return;
        }
        self.findings.rows += 1;
        self.findings.refused += 1;
        if self.findings.refusals.len() < MAX_KEPT_REFUSALS {
            self.findings.refusals.push((line, refusal));
        }
    }
}

/// The moment of a run as the rows' times are compared with it.
pub(super) fn millis(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_millis()
}
