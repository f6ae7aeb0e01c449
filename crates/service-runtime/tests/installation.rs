//! A database that was emptied or exchanged is refused next to the lake that outlived it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_lake::{Lake, LakeConfig};
use foretide_service_runtime::{InstallationError, recognise};
use tempfile::TempDir;

fn a_lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(&LakeConfig::folder(folder.path())).unwrap();
    (folder, lake)
}

async fn broker_of(test: &TestDatabase) -> Database {
    Database::connect(&test.config, "broker").await.unwrap()
}

#[tokio::test]
async fn d8_a_database_is_recognised_after_each_restart() {
    for test in TestDatabase::every_engine().await {
        let (_folder, lake) = a_lake();
        for _ in 0..3 {
            let replicas = (broker_of(&test).await, broker_of(&test).await);
            let (one, two) =
                tokio::join!(recognise(&replicas.0, &lake), recognise(&replicas.1, &lake));
            one.unwrap();
            two.unwrap();
        }
    }
}

#[tokio::test]
async fn d8_an_emptied_or_exchanged_database_is_refused() {
    for (used, exchanged) in TestDatabase::every_engine()
        .await
        .iter()
        .zip(TestDatabase::every_engine().await)
    {
        let (_folder, lake) = a_lake();
        recognise(&broker_of(used).await, &lake).await.unwrap();

        let other = broker_of(&exchanged).await;
        let refused = recognise(&other, &lake).await.unwrap_err();
        let said = refused.to_string();
        assert!(
            matches!(refused, InstallationError::OtherDatabase { ref found, .. } if found == "empty"),
            "{refused:?}"
        );
        assert!(
            said.contains("database of broker") && said.contains("installation/broker"),
            "{said}"
        );

        // It belongs to another installation now, and is refused for that.
        let (_elsewhere, another_lake) = a_lake();
        recognise(&other, &another_lake).await.unwrap();
        let refused = recognise(&other, &lake).await.unwrap_err();
        assert!(
            matches!(refused, InstallationError::OtherDatabase { ref found, .. } if found != "empty"),
            "{refused:?}"
        );
        recognise(&broker_of(used).await, &lake).await.unwrap();
    }
}
