//! The promises of a local lake hold on Azure Blob Storage too (Azurite).

use bytes::Bytes;
use chrono::{DateTime, Utc};
use foretide_domain::{Measure, RunId, TimeSpan};
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_lake::{Lake, LakeConfig, LakeError};
use foretide_test_support::{Azurite, or_skip};
use secrecy::SecretString;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn location(azurite: &Azurite, url: &str) -> LakeConfig {
    LakeConfig {
        url: url.to_owned(),
        account: Some(Azurite::ACCOUNT.to_owned()),
        access_key: Some(SecretString::from(Azurite::KEY)),
        endpoint: Some(format!("{}/{}", azurite.url(), Azurite::ACCOUNT)),
        use_emulator: false,
    }
}

#[tokio::test]
async fn objects_are_immutable_and_buckets_bitemporal() {
    let Some(azurite) = or_skip(Azurite::start().await).unwrap() else {
        return;
    };
    azurite.create_container("lake").await.unwrap();
    let lake = Lake::open(&location(&azurite, "az://lake/contoso")).unwrap();
    let stored = lake
        .put_immutable("a/b", Bytes::from_static(b"one"))
        .await
        .unwrap();
    assert_eq!(
        lake.put_immutable("a/b", Bytes::from_static(b"one"))
            .await
            .unwrap(),
        stored
    );
    let other = lake
        .put_immutable("a/b", Bytes::from_static(b"two"))
        .await
        .unwrap_err();
    assert!(matches!(other, LakeError::Conflict { .. }), "{other}");
    assert_eq!(lake.get("a/b", Some(&stored.sha256)).await.unwrap(), "one");
    let missing = lake.get("a/c", None).await.unwrap_err();
    assert!(matches!(missing, LakeError::NotFound { .. }), "{missing}");
    let listed = lake.list("a").await.unwrap();
    assert_eq!(listed[0].path, "a/b");

    let buckets = BucketStore::new(lake);
    let (day, early, late) = (
        "2026-11-20".parse().unwrap(),
        at("2026-11-20T12:00:00Z"),
        at("2026-11-21T12:00:00Z"),
    );
    let row = |value| BucketRow {
        event_time: at("2026-11-20T03:00:00Z"),
        severity: "High".to_owned(),
        product: String::new(),
        tactic: String::new(),
        value,
    };
    for (known_at, value) in [(early, 1.0), (late, 2.0)] {
        buckets
            .write_day(
                Measure::Incidents,
                day,
                known_at,
                RunId::new(),
                vec![row(value)],
            )
            .await
            .unwrap();
    }
    let span = TimeSpan::new(at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")).unwrap();
    for (known_at, value) in [(early, 1.0), (late, 2.0)] {
        let rows = buckets
            .rows(Measure::Incidents, span, known_at)
            .await
            .unwrap();
        assert_eq!(rows, [row(value)]);
    }
}

#[tokio::test]
async fn a_store_that_does_not_let_us_in_says_so() {
    let Some(azurite) = or_skip(Azurite::start().await).unwrap() else {
        return;
    };
    azurite.create_container("lake").await.unwrap();
    let wrong = LakeConfig {
        access_key: Some(SecretString::from("d3Jvbmc=")),
        ..location(&azurite, "az://lake")
    };
    let lake = Lake::open(&wrong).unwrap();
    let error = lake.put_immutable("a", Bytes::new()).await.unwrap_err();
    assert!(matches!(error, LakeError::Store { .. }), "{error}");
    assert!(!format!("{error:?}").contains("d3Jvbmc"), "{error:?}");
}
