//! Rows that take back earlier ones: a table that is only appended to has no other way.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{ISSUED_AT, TIME_GENERATED, azure_time};

/// Column that is the same for a row that was sent twice, and for the row that takes it back.
pub const IDEMPOTENCY_KEY: &str = "IdempotencyKey";
/// Column that is true in a row that takes back an earlier one.
pub const WITHDRAWN: &str = "Withdrawn";

/// The row that takes back an earlier one.
///
/// Readers keep the newest row a key (`summarize arg_max(IssuedAt, *) by IdempotencyKey`) and leave
/// out those that are withdrawn. What identifies the row (`kept`) is repeated, so that it is found by it.
///
/// Nothing when the row has no key: it cannot be taken back.
#[must_use]
pub fn tombstone(row: &Value, kept: &[&str], at: DateTime<Utc>) -> Option<Value> {
    let key = row.get(IDEMPOTENCY_KEY)?.as_str()?;
    let mut stone = json!({
        TIME_GENERATED: azure_time(at),
        ISSUED_AT: azure_time(at),
        IDEMPOTENCY_KEY: key,
        WITHDRAWN: true,
    });
    for name in kept {
        if let Some(value) = row.get(*name) {
            stone[*name] = value.clone();
        }
    }
    Some(stone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_has_the_key_and_nothing_that_was_said() {
        let row = json!({"IdempotencyKey": "k", "RunId": "r", "Predicted": 12.5});
        let at = "2026-11-23T10:00:00Z".parse().unwrap();
        assert_eq!(
            tombstone(&row, &["RunId", "UseCase"], at),
            Some(json!({
                "TimeGenerated": "2026-11-23T10:00:00.0000000Z",
                "IssuedAt": "2026-11-23T10:00:00.0000000Z",
                "IdempotencyKey": "k",
                "Withdrawn": true,
                "RunId": "r",
            }))
        );
        assert_eq!(tombstone(&json!({"RunId": "r"}), &[], at), None);
    }
}
