//! Whether the audit chain is what was recorded: its links, and every checkpoint that is kept of it.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_audit_chain::{AuditRecord, Head, Verifier};
use foretide_db::DbError;

use crate::checkpoint::Found;
use crate::error::AuditorError;
use crate::model::ChainReport;
use crate::service::Auditor;
use crate::storage::AuditFilter;

/// Records read at a time.
const PAGE: u64 = 1_000;
/// Longest time that a record may be without a checkpoint.
const LONGEST_UNCOVERED: TimeDelta = TimeDelta::minutes(5);

/// The first record that no published checkpoint covers, and when it was recorded.
type Uncovered = Option<(u64, DateTime<Utc>)>;

impl Auditor {
    /// Checks the whole chain against its head and the checkpoints, and those for what is missing,
    /// damaged, unsigned or old.
    pub(crate) async fn verify(&self) -> Result<ChainReport, AuditorError> {
        // What is signed may be on its way still. What cannot be published is found below.
        if let Err(error) = self.checkpoints.publish().await {
            tracing::warn!(error = ?error, "the newest checkpoint is not published");
        }
        let mut report = ChainReport {
            records: 0,
            head_hash: Head::genesis().hash.to_string(),
            broken: None,
        };
        let found = match self.checkpoints.found().await {
            Ok(found) => found,
            Err(error) => return broken_row(error, report),
        };
        let head = match self.storage.head().await {
            Ok(head) => head,
            Err(error) => return broken_row(error, report),
        };
        if let Some(sequence) = self.storage.before_the_first().await? {
            let problem = format!("record {sequence}: there is no record before the first");
            report.broken = Some((0, problem));
            return Ok(report);
        }
        let mut heads = found.heads.clone();
        heads.push(head);
        let verifier = Verifier::new(&heads).with_tree_heads(found.trees.iter().copied());
        let uncovered = match self.walk(verifier, &found, &mut report).await {
            Ok(uncovered) => uncovered,
            Err(error) => return broken_row(error, report),
        };
        if report.broken.is_none() {
            report.broken = found
                .fault
                .or_else(|| old_checkpoint(uncovered, found.covered, self.clock.now()));
        }
        Ok(report)
    }

    async fn walk(
        &self,
        mut verifier: Verifier,
        found: &Found,
        report: &mut ChainReport,
    ) -> Result<Uncovered, AuditorError> {
        let mut uncovered = None;
        let mut from_sequence = 1;
        loop {
            let records = self.page(from_sequence).await?;
            for record in &records {
                if let Err(broken) = verifier.push(record) {
                    report.broken = Some((broken.sequence, broken.problem.to_string()));
                    return Ok(None);
                }
                if record.sequence > found.covered && uncovered.is_none() {
                    uncovered = Some((record.sequence, record.recorded_at));
                }
                report.records += 1;
                report.head_hash = record.hash.to_string();
                from_sequence = record.sequence + 1;
            }
            if (records.len() as u64) < PAGE {
                break;
            }
        }
        if let Err(broken) = verifier.finish() {
            report.broken = Some((broken.sequence, broken.problem.to_string()));
        }
        Ok(uncovered)
    }

    async fn page(&self, from_sequence: u64) -> Result<Vec<AuditRecord>, AuditorError> {
        let filter = AuditFilter {
            from_sequence,
            limit: PAGE,
            ..AuditFilter::default()
        };
        self.storage.records(&filter).await
    }
}

/// A record that has been without a checkpoint for long could have been rewritten unseen.
fn old_checkpoint(uncovered: Uncovered, covered: u64, now: DateTime<Utc>) -> Option<(u64, String)> {
    let (sequence, recorded_at) = uncovered?;
    if now - recorded_at <= LONGEST_UNCOVERED {
        return None;
    }
    let at = recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let last = match covered {
        0 => "there is no signed checkpoint".to_owned(),
        size => format!("the newest signed checkpoint is of record {size}"),
    };
    let problem = format!("{last}: no checkpoint covers this record of {at} and those after it");
    Some((sequence, problem))
}

/// A row that cannot even be read is a broken chain, not a failure of the check.
fn broken_row(error: AuditorError, mut report: ChainReport) -> Result<ChainReport, AuditorError> {
    let AuditorError::Database(DbError::Corrupt {
        column,
        row,
        problem,
        ..
    }) = error
    else {
        return Err(error);
    };
    let sequence = row.parse().unwrap_or(report.records + 1);
    report.broken = Some((sequence, format!("{column}: {problem}")));
    Ok(report)
}
