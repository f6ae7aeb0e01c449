use foretide_emulator::{Fault, FaultAction};
use foretide_sentinel_arm::{
    ChangeLedger, FileLedger, ItemFields, SyncOutcome, Watchlist, WatchlistSync, WatchlistSyncError,
};

use crate::fixture::{World, clock};

const ALIAS: &str = "ForetideTopCves";

fn list() -> Watchlist {
    Watchlist {
        display_name: "Foretide: CVEs to patch first".to_owned(),
        description: "The ten most likely to be used here".to_owned(),
        search_key: "CveId".to_owned(),
    }
}

fn items(entries: &[(&str, &str)]) -> Vec<ItemFields> {
    let fields = |(cve, score): &(&str, &str)| {
        [("CveId", *cve), ("Score", *score)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    };
    entries.iter().map(fields).collect()
}

fn used(put: usize, deleted: usize, used: u32) -> SyncOutcome {
    SyncOutcome { put, deleted, used }
}

#[tokio::test]
async fn a9_only_the_difference_is_written_and_counted() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = FileLedger::new(folder.path().join("changes.ndjson"));
    let sync = WatchlistSync::new(world.client.clone(), ledger);
    let first = items(&[("CVE-1", "0.9"), ("CVE-2", "0.8"), ("CVE-3", "0.7")]);
    assert_eq!(
        sync.sync(ALIAS, &list(), &first).await.unwrap(),
        used(3, 0, 3)
    );
    let writes = world.writes();
    assert_eq!(
        sync.sync(ALIAS, &list(), &first).await.unwrap(),
        used(0, 0, 3)
    );
    assert_eq!(world.writes(), writes, "nothing changed, nothing written");
    let second = items(&[("CVE-1", "0.95"), ("CVE-3", "0.7"), ("CVE-4", "0.6")]);
    assert_eq!(
        sync.sync(ALIAS, &list(), &second).await.unwrap(),
        used(2, 1, 6)
    );
    let mut there: Vec<_> = world
        .client
        .watchlist_items(ALIAS)
        .await
        .unwrap()
        .into_iter()
        .map(|item| item.fields)
        .collect();
    there.sort();
    assert_eq!(there, second);
}

#[tokio::test]
async fn beyond_the_months_changes_nothing_is_touched() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changes.ndjson");
    let sync = WatchlistSync::new(world.client.clone(), FileLedger::new(path.clone())).within(4);
    let three = items(&[("CVE-1", "1"), ("CVE-2", "1"), ("CVE-3", "1")]);
    sync.sync(ALIAS, &list(), &three).await.unwrap();
    let writes = world.writes();
    let other = items(&[("CVE-7", "1"), ("CVE-2", "1"), ("CVE-3", "1")]);
    let error = sync.sync(ALIAS, &list(), &other).await.unwrap_err();
    assert!(
        matches!(
            error,
            WatchlistSyncError::Quota {
                wanted: 2,
                left: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(world.writes(), writes);
    // the count is in the file, not in the process
    let today = clock().now().date_naive();
    assert_eq!(FileLedger::new(path).used(today).await.unwrap(), 3);
}

#[tokio::test]
async fn an_interrupted_synchronisation_goes_on_where_it_stopped() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = FileLedger::new(folder.path().join("changes.ndjson"));
    let sync = WatchlistSync::new(world.client.clone(), ledger);
    sync.sync(ALIAS, &list(), &items(&[("CVE-1", "1")]))
        .await
        .unwrap();
    let wanted = items(&[("CVE-2", "1"), ("CVE-3", "1")]);
    let mut refused = Fault::at("/subscriptions/", 3, FaultAction::status(503));
    refused.matching.method = Some("PUT".to_owned());
    world.emulator.add_fault(refused);
    let error = sync.sync(ALIAS, &list(), &wanted).await.unwrap_err();
    assert!(matches!(error, WatchlistSyncError::Arm(_)), "{error}");
    sync.sync(ALIAS, &list(), &wanted).await.unwrap();
    let there = world.client.watchlist_items(ALIAS).await.unwrap();
    assert_eq!(there.len(), 2);
}

#[tokio::test]
async fn an_item_without_its_key_is_refused() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = FileLedger::new(folder.path().join("changes.ndjson"));
    let sync = WatchlistSync::new(world.client.clone(), ledger);
    let error = sync
        .sync(ALIAS, &list(), &items(&[("", "1")]))
        .await
        .unwrap_err();
    assert!(matches!(error, WatchlistSyncError::NoKey { .. }), "{error}");
    assert_eq!(world.writes(), 0);
}
