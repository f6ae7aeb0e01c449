//! Objects are written once, verified when read, and never leave the lake.

use bytes::Bytes;
use foretide_lake::{Lake, LakeConfig, LakeError};
use polars::prelude::*;
use tempfile::TempDir;

fn open_lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(&LakeConfig::folder(&folder.path().join("lake"))).unwrap();
    (folder, lake)
}

fn some_frame() -> DataFrame {
    df!("n" => [1i64, 2, 3], "s" => ["a", "b", "c"]).unwrap()
}

#[tokio::test]
async fn the_same_bytes_again_are_fine_and_other_bytes_are_a_conflict() {
    let (_folder, lake) = open_lake();
    let first = lake
        .put_immutable("a/b.bin", Bytes::from_static(b"one"))
        .await
        .unwrap();
    let again = lake
        .put_immutable("a/b.bin", Bytes::from_static(b"one"))
        .await
        .unwrap();
    assert_eq!(first, again);
    let error = lake
        .put_immutable("a/b.bin", Bytes::from_static(b"two"))
        .await
        .unwrap_err();
    assert!(matches!(error, LakeError::Conflict { .. }), "{error}");
    assert_eq!(
        lake.get("a/b.bin", Some(&first.sha256)).await.unwrap(),
        "one"
    );
}

#[tokio::test]
async fn two_writers_at_once_cannot_both_win() {
    let (_folder, lake) = open_lake();
    let (one, two) = tokio::join!(
        lake.put_immutable("x", Bytes::from_static(b"one")),
        lake.put_immutable("x", Bytes::from_static(b"two")),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

#[tokio::test]
async fn a_damaged_object_is_noticed() {
    let (folder, lake) = open_lake();
    let stored = lake
        .write_frame("t.parquet", &mut some_frame())
        .await
        .unwrap();
    let file = folder.path().join("lake/t.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8] ^= 0xff;
    std::fs::write(&file, &bytes).unwrap();
    let error = lake
        .read_frame("t.parquet", Some(&stored.sha256))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LakeError::ChecksumMismatch { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_truncated_or_foreign_file_is_an_error_not_a_panic() {
    let (folder, lake) = open_lake();
    lake.write_frame("t.parquet", &mut some_frame())
        .await
        .unwrap();
    let file = folder.path().join("lake/t.parquet");
    let whole = std::fs::read(&file).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        let error = lake.read_frame("t.parquet", None).await.unwrap_err();
        assert!(
            matches!(error, LakeError::Corrupt { .. }),
            "{length}: {error}"
        );
    }
    std::fs::write(&file, b"PAR1 this is no table PAR1").unwrap();
    assert!(lake.read_frame("t.parquet", None).await.is_err());
}

#[tokio::test]
async fn the_same_table_gives_the_same_bytes() {
    let (_folder, lake) = open_lake();
    let one = lake
        .write_frame("one.parquet", &mut some_frame())
        .await
        .unwrap();
    let two = lake
        .write_frame("two.parquet", &mut some_frame())
        .await
        .unwrap();
    assert_eq!(one.sha256, two.sha256);
    assert!(
        lake.read_frame("one.parquet", Some(&one.sha256))
            .await
            .unwrap()
            .equals(&some_frame())
    );
}

#[tokio::test]
async fn hostile_paths_are_refused_by_every_call() {
    let (_folder, lake) = open_lake();
    for path in ["../x", "/etc/passwd", "a/../../x", "a\0b", ""] {
        let put = lake.put_immutable(path, Bytes::new()).await.unwrap_err();
        assert!(matches!(put, LakeError::InvalidPath { .. }), "{put}");
        let get = lake.get(path, None).await.unwrap_err();
        assert!(matches!(get, LakeError::InvalidPath { .. }), "{get}");
    }
    assert!(lake.list("../").await.is_err());
}

#[tokio::test]
async fn listing_is_by_whole_segments_and_in_order() {
    let (_folder, lake) = open_lake();
    for path in ["b/2", "b/1", "bb/3", "a"] {
        lake.put_immutable(path, Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let paths: Vec<_> = lake
        .list("b")
        .await
        .unwrap()
        .into_iter()
        .map(|info| info.path)
        .collect();
    assert_eq!(paths, ["b/1", "b/2"]);
    assert_eq!(lake.list("").await.unwrap().len(), 4);
    assert!(lake.list("nothing").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let (_folder, lake) = open_lake();
    let error = lake.get("nothing", None).await.unwrap_err();
    assert!(matches!(error, LakeError::NotFound { .. }), "{error}");
}
