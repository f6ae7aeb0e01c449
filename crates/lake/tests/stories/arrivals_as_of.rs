//! What was known of arrival lags at a moment.

use foretide_domain::{ArrivalLag, RunId, SentinelTable};
use foretide_lake::arrivals::ArrivalStore;
use foretide_lake::{Lake, LakeConfig};

#[tokio::test]
async fn what_was_learnt_later_is_not_known_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArrivalStore::new(Lake::open(&LakeConfig::folder(folder.path())).unwrap());
    let table = SentinelTable::SigninLogs;
    let at = |text: &str| text.parse().unwrap();
    let first = ArrivalLag::new([(5, 90.0), (60, 10.0)]);
    let second = ArrivalLag::new([(60, 500.0)]);
    let (run, later) = (RunId::new(), RunId::new());
    store
        .write(table, at("2026-11-20T10:00:00Z"), run, &first)
        .await
        .unwrap();
    store
        .write(table, at("2026-11-21T10:00:00Z"), later, &second)
        .await
        .unwrap();
    // repeated after a crash
    store
        .write(table, at("2026-11-21T10:00:00Z"), later, &first)
        .await
        .unwrap();
    let known = async |moment: &str| store.read(table, at(moment)).await.unwrap();
    assert_eq!(known("2026-11-20T09:00:00Z").await, ArrivalLag::default());
    assert_eq!(known("2026-11-20T10:00:00Z").await, first);
    assert_eq!(known("2026-11-22T10:00:00Z").await, second);
    let other = store.read(SentinelTable::Usage, at("2026-11-22T10:00:00Z"));
    assert_eq!(other.await.unwrap(), ArrivalLag::default());
}
