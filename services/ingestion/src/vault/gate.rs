//! Who may ask, how often, and that every try is in the audit log before it is answered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::governance::v1::AppendAuditRequest;
use foretide_domain::{Principal, Role, SharedClock};
use foretide_service_runtime::Peers;
use serde_json::{Map, Value, json};
use tonic::Status;
use uuid::Uuid;

use super::error::{REASON_CHARS, VaultError};

/// The audit log.
#[async_trait]
pub(crate) trait AuditLog: Send + Sync + 'static {
    /// Appends an event and gives back where it stands.
    ///
    /// # Errors
    /// When it is not known to stand there.
    async fn append(&self, event: AppendAuditRequest) -> Result<u64, Status>;
}

#[async_trait]
impl AuditLog for Peers {
    async fn append(&self, event: AppendAuditRequest) -> Result<u64, Status> {
        let answer = self.auditor().append_audit(event).await?.into_inner();
        let record = answer.record.ok_or_else(|| {
            Status::internal("the auditor has answered without saying where the record stands")
        })?;
        Ok(record.sequence)
    }
}

/// Somebody's try to learn a name or to change keys.
pub(super) struct Attempt<'a> {
    pub(super) caller: &'a Principal,
    pub(super) action: &'static str,
    /// What it is about: never what the caller sent, which may be a name.
    pub(super) subject: String,
    pub(super) reason: &'a str,
}

/// Lets tries through and records them.
pub(super) struct Gate {
    audit: Arc<dyn AuditLog>,
    clock: SharedClock,
    an_hour: u32,
    tries: Mutex<HashMap<String, Tries>>,
}

/// Tries of one caller within the last hour.
#[derive(Debug, Default)]
struct Tries {
    at: VecDeque<DateTime<Utc>>,
    /// That there were too many has been recorded; the log is not for flooding.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowance {
    Left,
    JustSpent,
    Spent,
}

impl Tries {
    fn take(&mut self, now: DateTime<Utc>, most: u32) -> Allowance {
        while self
            .at
            .front()
            .is_some_and(|at| *at + TimeDelta::hours(1) <= now)
        {
            self.at.pop_front();
            self.is_told = false;
        }
        if self.at.len() < usize::try_from(most).unwrap_or(usize::MAX) {
            self.at.push_back(now);
            return Allowance::Left;
        }
        if std::mem::replace(&mut self.is_told, true) {
            Allowance::Spent
        } else {
            Allowance::JustSpent
        }
    }
}

impl Gate {
    pub(super) fn new(audit: Arc<dyn AuditLog>, clock: SharedClock, an_hour: u32) -> Self {
        Self {
            audit,
            clock,
            an_hour,
            tries: Mutex::default(),
        }
    }

    /// Lets a person with the role through who has a reason and has not tried too often. Whoever is
    /// turned away is recorded.
    pub(super) async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), VaultError> {
        let allowance = {
            let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let of_caller = tries.entry(attempt.caller.name.clone()).or_default();
            of_caller.take(self.clock.now(), self.an_hour)
        };
        let refusal = if allowance != Allowance::Left {
            VaultError::TooMany(self.an_hour)
        } else if !(attempt.caller.is_person() && attempt.caller.has(Role::Approver)) {
            VaultError::Denied(attempt.caller.name.clone())
        } else if !is_reason(attempt.reason) {
            VaultError::Reason
        } else {
            return Ok(());
        };
        if allowance != Allowance::Spent {
            self.record(attempt, refusal.outcome(), Map::new()).await?;
        }
        Err(refusal)
    }

    /// Records what is about to be told or done, or why it is not, and passes it on.
    pub(super) async fn decide<T>(
        &self,
        attempt: &Attempt<'_>,
        found: Result<(T, Map<String, Value>), VaultError>,
    ) -> Result<(T, u64), VaultError> {
        match found {
            Ok((found, details)) => {
                let sequence = self.record(attempt, "granted", details).await?;
                Ok((found, sequence))
            }
            Err(refusal) => {
                self.record(attempt, refusal.outcome(), Map::new()).await?;
                Err(refusal)
            }
        }
    }

    /// Records that what was granted could not be done.
    pub(super) async fn done<T>(
        &self,
        attempt: &Attempt<'_>,
        outcome: Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        if let Err(error) = &outcome
            && let Err(audit) = self.record(attempt, error.outcome(), Map::new()).await
        {
            tracing::error!(
                action = attempt.action,
                ?audit,
                "what failed is not in the audit log"
            );
        }
        outcome
    }

    async fn record(
        &self,
        attempt: &Attempt<'_>,
        outcome: &str,
        mut details: Map<String, Value>,
    ) -> Result<u64, VaultError> {
        details.insert("outcome".to_owned(), json!(outcome));
        details.insert("reason".to_owned(), json!(clipped(attempt.reason)));
        let event = AppendAuditRequest {
            event_id: Uuid::now_v7().to_string(),
            actor: attempt.caller.name.clone(),
            action: attempt.action.to_owned(),
            subject: attempt.subject.clone(),
            run_id: String::new(),
            details_json: Value::Object(details).to_string(),
        };
        let sequence = self.audit.append(event).await.map_err(|status| {
            tracing::warn!(action = attempt.action, %status, "the audit log did not take a try: refused");
            VaultError::AuditAway(Box::new(status))
        })?;
        tracing::info!(
            action = attempt.action,
            outcome,
            sequence,
            "a try at pseudonyms"
        );
        Ok(sequence)
    }
}

fn is_reason(reason: &str) -> bool {
    let reason = reason.trim();
    REASON_CHARS.contains(&reason.chars().count()) && !reason.contains(char::is_control)
}

fn clipped(reason: &str) -> String {
    reason
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(*REASON_CHARS.end())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_within_an_hour_and_too_many_told_once() {
        let mut tries = Tries::default();
        let at = |minute| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute);
        assert_eq!(tries.take(at(0), 2), Allowance::Left);
        assert_eq!(tries.take(at(30), 2), Allowance::Left);
        assert_eq!(tries.take(at(31), 2), Allowance::JustSpent);
        assert_eq!(tries.take(at(59), 2), Allowance::Spent);
        assert_eq!(tries.take(at(60), 2), Allowance::Left);
        assert_eq!(tries.take(at(61), 2), Allowance::JustSpent);
        assert_eq!(tries.take(at(200), 0), Allowance::JustSpent);
    }

    #[test]
    fn a_reason_is_one_line_that_says_something() {
        for reason in [
            "",
            "   ",
            "because",
            " 1234567 ",
            "line\nand line",
            &"x".repeat(501),
        ] {
            assert!(!is_reason(reason), "{reason}");
        }
        assert!(is_reason("incident 4711, containment"));
        assert_eq!(clipped("a\nb"), "a b");
        assert_eq!(clipped(&"ä".repeat(9000)).chars().count(), 500);
    }
}
