//! Watchlists brought up to date by difference, under the quota of the month.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::client::ArmClient;
use crate::error::ArmError;
use crate::watchlists::{ItemFields, Watchlist, WatchlistItem};

/// Changes of watchlist items that Sentinel allows a workspace in a month.
pub const MONTHLY_CHANGES: u32 = 100_000;

/// How many item changes were made in which month.
#[async_trait]
pub trait ChangeLedger: Send + Sync {
    /// Changes made in the month of this day.
    ///
    /// # Errors
    /// When the ledger cannot be read: then nothing is changed.
    async fn used(&self, day: NaiveDate) -> Result<u32, LedgerError>;

    /// Notes changes before they are made: a crash may count some that never were, never the reverse.
    ///
    /// # Errors
    /// When the ledger cannot be written: then nothing is changed.
    async fn note(&self, day: NaiveDate, alias: &str, changes: u32) -> Result<(), LedgerError>;
}

/// A ledger that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the ledger of watchlist changes cannot be {action}")]
pub struct LedgerError {
    /// `read` or `written`.
    pub action: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A ledger in a file of JSON lines.
#[derive(Debug)]
pub struct FileLedger {
    path: PathBuf,
    turn: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct LedgerLine {
    day: NaiveDate,
    watchlist: String,
    changes: u32,
}

impl FileLedger {
    /// A ledger at this path; the file is made with the first note.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            turn: Mutex::default(),
        }
    }
}

fn unreadable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LedgerError {
    LedgerError {
        action: "read",
        source: source.into(),
    }
}

fn unwritable(source: std::io::Error) -> LedgerError {
    LedgerError {
        action: "written",
        source: source.into(),
    }
}

#[async_trait]
impl ChangeLedger for FileLedger {
    async fn used(&self, day: NaiveDate) -> Result<u32, LedgerError> {
        let text = match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(unreadable(error)),
        };
        let mut used = 0_u32;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line: LedgerLine = serde_json::from_str(line).map_err(unreadable)?;
            if (line.day.year(), line.day.month()) == (day.year(), day.month()) {
                used = used.saturating_add(line.changes);
            }
        }
        Ok(used)
    }

    async fn note(&self, day: NaiveDate, alias: &str, changes: u32) -> Result<(), LedgerError> {
        let line = LedgerLine {
            day,
            watchlist: alias.to_owned(),
            changes,
        };
        let mut text = serde_json::to_vec(&line).map_err(unreadable)?;
        text.push(b'\n');
        let _turn = self.turn.lock().await;
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .await
            .map_err(unwritable)?;
        file.write_all(&text).await.map_err(unwritable)?;
        file.sync_all().await.map_err(unwritable)
    }
}

/// What would make a watchlist hold exactly the wanted items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchlistDiff {
    /// Items that are missing or differ, under the id they get.
    pub put: BTreeMap<Uuid, ItemFields>,
    /// Ids of items that nobody wants any more, or that double another.
    pub delete: Vec<String>,
}

impl WatchlistDiff {
    /// Compares. Items are the same thing when they agree in the search key; their id is derived from
    /// it, so that the same difference again changes nothing.
    #[must_use]
    pub fn between(
        alias: &str,
        search_key: &str,
        current: &[WatchlistItem],
        wanted: &[ItemFields],
    ) -> Self {
        let key_of = |fields: &ItemFields| fields.get(search_key).cloned().unwrap_or_default();
        let mut missing: BTreeMap<String, &ItemFields> = wanted
            .iter()
            .map(|fields| (key_of(fields), fields))
            .collect();
        let mut diff = Self::default();
        for item in current {
            let key = key_of(&item.fields);
            let Some(wanted) = missing.remove(&key) else {
                diff.delete.push(item.name.clone());
                continue;
            };
            if *wanted == item.fields {
                continue;
            }
            match item.name.parse() {
                Ok(id) => {
                    diff.put.insert(id, wanted.clone());
                }
                Err(_) => {
                    // an id that cannot be addressed as ours: replaced by one that can
                    diff.delete.push(item.name.clone());
                    missing.insert(key, wanted);
                }
            }
        }
        let new = missing.into_iter();
        diff.put
            .extend(new.map(|(key, fields)| (item_id(alias, &key), fields.clone())));
        diff
    }

    /// Changes it takes.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.put.len() + self.delete.len()
    }
}

/// The id of an item of ours.
fn item_id(alias: &str, key: &str) -> Uuid {
    let name = format!("foretide/watchlists/{alias}/{key}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// What a synchronisation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncOutcome {
    /// Items written.
    pub put: usize,
    /// Items deleted.
    pub deleted: usize,
    /// Changes of this month so far, these included.
    pub used: u32,
}

/// Why a watchlist was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum WatchlistSyncError {
    /// It would take more changes than the month has left. Nothing was changed.
    #[error(
        "watchlist {alias} needs {wanted} changes, {left} of {quota} are left this month: keep it \
         smaller or change it less often"
    )]
    Quota {
        /// Which one.
        alias: String,
        /// Changes it would take.
        wanted: usize,
        /// Changes left.
        left: u32,
        /// Changes of a month.
        quota: u32,
    },
    /// An item has no value in the search key.
    #[error("an item of watchlist {alias} has no {search_key}")]
    NoKey {
        /// Which one.
        alias: String,
        /// The search key.
        search_key: String,
    },
    /// The ledger is out of order.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Sentinel did not take it. What was done before stays; the next synchronisation goes on.
    #[error(transparent)]
    Arm(#[from] ArmError),
}

/// Keeps watchlists as they are wanted.
pub struct WatchlistSync<L> {
    client: ArmClient,
    ledger: L,
    quota: u32,
}

impl<L: std::fmt::Debug> std::fmt::Debug for WatchlistSync<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchlistSync")
            .field("ledger", &self.ledger)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

impl<L: ChangeLedger> WatchlistSync<L> {
    /// Works through this client, within [`MONTHLY_CHANGES`].
    pub fn new(client: ArmClient, ledger: L) -> Self {
        Self {
            client,
            ledger,
            quota: MONTHLY_CHANGES,
        }
    }

    /// Leaves a part of the month's changes to others.
    #[must_use]
    pub fn within(mut self, quota: u32) -> Self {
        self.quota = quota.min(MONTHLY_CHANGES);
        self
    }

    /// Makes the watchlist hold exactly these items, creating it when it is missing.
    ///
    /// # Errors
    /// [`WatchlistSyncError::Quota`] before anything is changed; otherwise see there.
    pub async fn sync(
        &self,
        alias: &str,
        list: &Watchlist,
        wanted: &[ItemFields],
    ) -> Result<SyncOutcome, WatchlistSyncError> {
        let keyless =
            |fields: &ItemFields| fields.get(&list.search_key).is_none_or(String::is_empty);
        if wanted.iter().any(keyless) {
            return Err(WatchlistSyncError::NoKey {
                alias: alias.to_owned(),
                search_key: list.search_key.clone(),
            });
        }
        let (current, is_missing) = match self.client.watchlist_items(alias).await {
            Ok(current) => (current, false),
            Err(ArmError::NotFound { .. }) => (Vec::new(), true),
            Err(error) => return Err(error.into()),
        };
        let diff = WatchlistDiff::between(alias, &list.search_key, &current, wanted);
        let today = self.client.clock().now().date_naive();
        let used = self.ledger.used(today).await?;
        let left = self.quota.saturating_sub(used);
        let Some(changes) = u32::try_from(diff.changes()).ok().filter(|n| *n <= left) else {
            return Err(WatchlistSyncError::Quota {
                alias: alias.to_owned(),
                wanted: diff.changes(),
                left,
                quota: self.quota,
            });
        };
        // one without items may also be one that is not there
        if is_missing || (current.is_empty() && changes > 0) {
            self.client.put_watchlist(alias, list).await?;
        }
        if changes > 0 {
            self.ledger.note(today, alias, changes).await?;
        }
        for name in &diff.delete {
            self.client.delete_watchlist_item(alias, name).await?;
        }
        for (id, fields) in &diff.put {
            self.client.put_watchlist_item(alias, *id, fields).await?;
        }
        Ok(SyncOutcome {
            put: diff.put.len(),
            deleted: diff.delete.len(),
            used: used + changes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(key: &str, score: &str) -> ItemFields {
        [("CveId", key), ("Score", score)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn applied(alias: &str, current: &[WatchlistItem], diff: &WatchlistDiff) -> Vec<WatchlistItem> {
        let mut items: BTreeMap<String, ItemFields> = current
            .iter()
            .filter(|item| !diff.delete.contains(&item.name))
            .map(|item| (item.name.clone(), item.fields.clone()))
            .collect();
        assert!(!alias.is_empty());
        for (id, fields) in &diff.put {
            items.insert(id.to_string(), fields.clone());
        }
        let items = items.into_iter();
        items
            .map(|(name, fields)| WatchlistItem { name, fields })
            .collect()
    }

    proptest! {
        #[test]
        fn the_difference_leads_to_what_is_wanted_and_then_is_empty(
            before in prop::collection::vec(("[a-e]", "[0-9]"), 0..8),
            after in prop::collection::vec(("[a-e]", "[0-9]"), 0..8),
        ) {
            let current: Vec<WatchlistItem> = before
                .iter()
                .enumerate()
                .map(|(index, (key, score))| WatchlistItem {
                    name: if index % 2 == 0 { item_id("l", key).to_string() } else { format!("odd-{index}") },
                    fields: fields(key, score),
                })
                .collect();
            // ids are unique in Sentinel
            let current: Vec<WatchlistItem> = current
                .iter()
                .map(|item| (item.name.clone(), item.clone()))
                .collect::<BTreeMap<_, _>>()
                .into_values()
                .collect();
            let wanted: Vec<ItemFields> = after.iter().map(|(key, score)| fields(key, score)).collect();
            let diff = WatchlistDiff::between("l", "CveId", &current, &wanted);
            let then = applied("l", &current, &diff);
            let mut held: Vec<ItemFields> = then.iter().map(|item| item.fields.clone()).collect();
            let expected: BTreeMap<String, ItemFields> =
                wanted.iter().map(|item| (item["CveId"].clone(), item.clone())).collect();
            let mut expected: Vec<ItemFields> = expected.into_values().collect();
            held.sort();
            expected.sort();
            prop_assert_eq!(held, expected);
            prop_assert_eq!(WatchlistDiff::between("l", "CveId", &then, &wanted).changes(), 0);
        }
    }

    #[tokio::test]
    async fn the_ledger_counts_by_month_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watchlists.ndjson");
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let ledger = FileLedger::new(path.clone());
        assert_eq!(ledger.used(day("2026-11-23")).await.unwrap(), 0);
        ledger.note(day("2026-11-01"), "a", 3).await.unwrap();
        ledger.note(day("2026-11-30"), "b", 4).await.unwrap();
        ledger.note(day("2026-12-01"), "a", 5).await.unwrap();
        let again = FileLedger::new(path.clone());
        assert_eq!(again.used(day("2026-11-23")).await.unwrap(), 7);
        std::fs::write(path, "not json\n").unwrap();
        again.used(day("2026-11-23")).await.unwrap_err();
    }
}
