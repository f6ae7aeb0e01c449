//! Signed checkpoints: what somebody does to the log, or to what guards it, is named.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use foretide_api::governance::v1 as wire;
use foretide_audit_chain::{
    AuditRecord, Checkpoint, Digest, Event, Head, Note, VerifierKey, append, verify_consistency,
    verify_inclusion,
};
use foretide_auditor::config::{AuditConfig, Config};
use foretide_lake::LakeConfig;
use tonic::Code;

use crate::audit_log::{as_exported, tamper};
use crate::soc::{Soc, monday};

impl Soc {
    /// The lake's checkpoints, oldest first.
    fn checkpoint_files(&self) -> Vec<PathBuf> {
        files_in(&self.context.folder.path().join("lake"))
    }

    async fn checkpoint(&self) -> (Checkpoint, VerifierKey) {
        let request = wire::GetCheckpointRequest {};
        let answer = self.service().get_checkpoint(request).await.unwrap();
        let answer = answer.into_inner();
        let key: VerifierKey = answer.verifier_key.parse().unwrap();
        let note: Note = answer.checkpoint.parse().unwrap();
        let opened = Checkpoint::open(&note, std::slice::from_ref(&key)).unwrap();
        (opened, key)
    }

    /// Whether the log of now is proven to begin with the log of an earlier checkpoint.
    async fn continues(&self, old: &Checkpoint) -> bool {
        let (new, _) = self.checkpoint().await;
        let request = wire::GetConsistencyProofRequest {
            old_size: old.tree.size,
            new_size: new.tree.size,
        };
        let answer = self.service().get_consistency_proof(request).await;
        let proof = digests(&answer.unwrap().into_inner().hashes);
        verify_consistency(&old.tree, &new.tree, &proof).is_ok()
    }

    /// Appends one record after the other, each published by itself.
    async fn publish_each(&self, numbers: std::ops::Range<u32>) {
        assert!(self.verify().await.intact, "before anything was recorded");
        for number in numbers {
            self.append(&format!("event-{number}")).await;
            let report = self.verify().await;
            assert!(report.intact, "{}", report.problem);
        }
    }

    async fn assert_broken(&self, row: u64, words: &str) {
        let report = self.verify().await;
        assert!(!report.intact, "reported intact: {words}");
        assert!(report.problem.contains(words), "{}", report.problem);
        assert_eq!(report.broken_sequence, row, "{}", report.problem);
    }

    /// Rewrites all records from one on with another actor, so that every link fits again.
    async fn rewrite_from(&self, first: u64) {
        let log = self.audit_log().await;
        let log: Vec<AuditRecord> = log.into_iter().map(as_exported).collect();
        let kept = log.iter().rfind(|record| record.sequence < first);
        let mut head = kept.map_or(Head::genesis(), AuditRecord::head);
        for record in log.iter().filter(|record| record.sequence >= first) {
            let event = Event {
                event_id: record.event_id.clone(),
                actor: "mallory".to_owned(),
                action: record.action.clone(),
                subject: record.subject.clone(),
                run_id: record.run_id.clone(),
                details: record.details.clone(),
            };
            let forged = append(&head, event, record.recorded_at);
            head = forged.head();
            let (previous, hash) = (forged.previous_hash, forged.hash);
            let statement = format!(
                "UPDATE audit_record SET actor = 'mallory', previous_hash = '{previous}', \
                 hash = '{hash}' WHERE sequence = {}",
                record.sequence
            );
            tamper(self, &statement).await;
        }
        tamper(
            self,
            &format!("UPDATE audit_head SET hash = '{}'", head.hash),
        )
        .await;
    }

    /// Takes every checkpoint out of the lake and the database.
    async fn forget_checkpoints(&self) {
        for file in self.checkpoint_files() {
            std::fs::remove_file(file).unwrap();
        }
        tamper(self, "DELETE FROM audit_checkpoint").await;
    }
}

fn files_in(place: &std::path::Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(place.join("audit/checkpoints")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn digests(hashes: &[Vec<u8>]) -> Vec<Digest> {
    let digests = hashes.iter().map(|hash| Digest::try_from(hash.as_slice()));
    digests.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn g1_every_record_is_signed_before_it_is_answered() {
    let soc = Soc::start().await;
    let (first, _) = soc.checkpoint().await;
    for number in 0..5 {
        let record = soc.append(&format!("event-{number}")).await;
        let (checkpoint, key) = soc.checkpoint().await;
        assert_eq!(checkpoint.tree.size, record.sequence);
        assert_eq!(checkpoint.origin, key.name());
        assert!(soc.continues(&first).await);
    }
    // Published without anybody asking.
    let published = async {
        while files_in(&soc.context.folder.path().join("lake")).len() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), published)
        .await
        .unwrap();
}

#[tokio::test]
async fn g1_a_record_is_proven_to_be_in_the_log() {
    let soc = Soc::start().await;
    for number in 0..5 {
        soc.append(&format!("event-{number}")).await;
    }
    let (checkpoint, _) = soc.checkpoint().await;
    let proof = |sequence: u64, tree_size: u64| {
        let mut client = soc.service();
        async move {
            let request = wire::GetInclusionProofRequest {
                sequence,
                tree_size,
            };
            client.get_inclusion_proof(request).await
        }
    };
    for record in soc.audit_log().await {
        let answer = proof(record.sequence, checkpoint.tree.size).await.unwrap();
        let hashes = digests(&answer.into_inner().hashes);
        let entry: Digest = record.hash.parse().unwrap();
        let index = record.sequence - 1;
        verify_inclusion(entry.as_bytes(), index, &checkpoint.tree, &hashes).unwrap();
    }
    for (sequence, size) in [(0, 7), (8, 7), (1, 8), (1, u64::MAX)] {
        let refused = proof(sequence, size).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{sequence} {size}");
    }
}

#[tokio::test]
async fn g1_a_rewritten_record_is_named_though_every_link_fits_again() {
    let soc = Soc::start().await;
    soc.publish_each(0..5).await;
    soc.rewrite_from(5).await;
    soc.assert_broken(5, "rewritten").await;
    // Nothing is signed on top of it, now or after a restart.
    let before = soc.checkpoint().await;
    soc.append("event-9").await;
    assert_eq!(soc.checkpoint().await, before);
    let soc = soc.restart_with(Config::default()).await;
    soc.append("event-10").await;
    assert_eq!(soc.checkpoint().await, before);
    soc.assert_broken(5, "rewritten").await;
}

#[tokio::test]
async fn g1_nothing_is_signed_before_the_earlier_checkpoints_are_read() {
    let soc = Soc::start().await;
    soc.publish_each(0..3).await;
    let before = soc.checkpoint().await;
    tamper(&soc, "UPDATE audit_checkpoint SET size = -2 WHERE size = 2").await;
    let soc = soc.restart_with(Config::default()).await;
    soc.append("event-7").await;
    assert_eq!(soc.checkpoint().await, before);
    tamper(&soc, "UPDATE audit_checkpoint SET size = 2 WHERE size = -2").await;
    let soc = soc.restart_with(Config::default()).await;
    assert_eq!(soc.checkpoint().await.0.tree.size, before.0.tree.size + 1);
    let report = soc.verify().await;
    assert!(report.intact, "{}", report.problem);
}

#[tokio::test]
async fn g1_a_cut_tail_is_named_though_the_head_was_moved() {
    let soc = Soc::start().await;
    soc.publish_each(0..5).await;
    let kept = soc.audit_log().await[4].hash.clone();
    tamper(&soc, "DELETE FROM audit_record WHERE sequence > 5").await;
    let head = format!("UPDATE audit_head SET sequence = 5, hash = '{kept}'");
    tamper(&soc, &head).await;
    soc.assert_broken(6, "cut off").await;
}

#[tokio::test]
async fn g1_deleted_checkpoints_are_named() {
    let soc = Soc::start().await;
    soc.publish_each(0..3).await;
    let files = soc.checkpoint_files();
    std::fs::remove_file(&files[1]).unwrap();
    soc.assert_broken(3, "checkpoint 3 is missing from the lake")
        .await;
    for file in soc.checkpoint_files() {
        std::fs::remove_file(file).unwrap();
    }
    soc.assert_broken(2, "missing from the lake").await;
}

#[tokio::test]
async fn g1_damaged_unsigned_and_foreign_checkpoints_are_named() {
    let stranger = Soc::start().await;
    stranger.publish_each(0..3).await;
    let foreign = std::fs::read(stranger.checkpoint_files().pop().unwrap()).unwrap();
    let soc = Soc::start().await;
    soc.publish_each(0..3).await;
    let file = soc.checkpoint_files().pop().unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    let (text, signature) = good.split_once("\n\n").unwrap();
    let earlier = std::fs::read(&soc.checkpoint_files()[1]).unwrap();
    let cases: [(Vec<u8>, &str); 7] = [
        (b"garbled".to_vec(), "not a signed note"),
        (vec![0xff, 0xfe], "not a text"),
        (Vec::new(), "not a signed note"),
        (format!("{text}\n").into(), "not a signed note"),
        (
            format!("{}\n\n{signature}", text.replacen("\n5\n", "\n6\n", 1)).into(),
            "altered",
        ),
        (foreign, "not signed by"),
        (earlier, "stands where"),
    ];
    for (content, words) in cases {
        std::fs::write(&file, content).unwrap();
        soc.assert_broken(5, words).await;
    }
    std::fs::write(&file, good).unwrap();
    assert!(soc.verify().await.intact);
}

#[tokio::test]
async fn g1_an_old_checkpoint_is_named() {
    let soc = Soc::start().await;
    soc.publish_each(0..5).await;
    for file in soc.checkpoint_files().split_off(1) {
        std::fs::remove_file(file).unwrap();
    }
    tamper(&soc, "DELETE FROM audit_checkpoint WHERE size > 2").await;
    assert!(soc.verify().await.intact, "not old yet");
    soc.context
        .clock
        .advance_to(monday() + TimeDelta::minutes(6));
    soc.assert_broken(3, "newest signed checkpoint is of record 2")
        .await;
    soc.forget_checkpoints().await;
    soc.assert_broken(1, "there is no signed checkpoint").await;
}

#[tokio::test]
async fn g1_a_row_before_the_first_or_after_a_gap_is_named() {
    // The sequence is hashed too, so a row that was moved on is an altered one.
    let cases = [(-5, 0, "record -5"), (0, 0, "record 0"), (9, 5, "altered")];
    for (sequence, row, words) in cases {
        let soc = Soc::start().await;
        soc.publish_each(0..3).await;
        let statement = format!("UPDATE audit_record SET sequence = {sequence} WHERE sequence = 5");
        tamper(&soc, &statement).await;
        soc.assert_broken(row, words).await;
    }
}

#[tokio::test]
async fn g6_rewriting_chain_database_and_lake_together_is_named_by_whoever_kept_a_checkpoint() {
    let soc = Soc::start().await;
    soc.publish_each(0..5).await;
    let (witnessed, _) = soc.checkpoint().await;
    soc.append("event-7").await;
    assert!(soc.continues(&witnessed).await);
    soc.rewrite_from(4).await;
    soc.forget_checkpoints().await;
    let soc = soc.restart_with(Config::default()).await;
    // From inside there is nothing to be seen any more.
    let report = soc.verify().await;
    assert!(report.intact, "{}", report.problem);
    assert!(!soc.continues(&witnessed).await);
}

#[tokio::test]
async fn g6_a_second_place_names_what_database_and_lake_no_longer_do() {
    let place = tempfile::tempdir().unwrap();
    let config = || Config {
        audit: AuditConfig {
            publish_to: Some(LakeConfig::folder(place.path())),
            ..AuditConfig::default()
        },
        ..Config::default()
    };
    let soc = Soc::start().await;
    soc.publish_each(0..2).await;
    // A place that is configured later has what comes later.
    let soc = soc.restart_with(config()).await;
    soc.publish_each(2..5).await;
    assert_eq!(files_in(place.path()).len(), 4);
    soc.rewrite_from(5).await;
    soc.forget_checkpoints().await;
    let soc = soc.restart_with(config()).await;
    soc.assert_broken(5, "rewritten").await;
}

#[tokio::test]
async fn g1_a_checkpoint_missing_from_the_second_place_is_named() {
    let place = tempfile::tempdir().unwrap();
    let config = Config {
        audit: AuditConfig {
            publish_to: Some(LakeConfig::folder(place.path())),
            ..AuditConfig::default()
        },
        ..Config::default()
    };
    let soc = Soc::start_with(config).await;
    soc.publish_each(0..3).await;
    let newest = files_in(place.path()).pop().unwrap();
    std::fs::remove_file(newest).unwrap();
    let name = place.path().display().to_string();
    soc.assert_broken(5, &format!("checkpoint 5 is missing from {name}"))
        .await;
}

#[tokio::test]
async fn the_key_is_made_once_private_and_an_earlier_one_still_counts() {
    let soc = Soc::start().await;
    soc.publish_each(0..2).await;
    let (_, key) = soc.checkpoint().await;
    let file = soc.context.folder.path().join("state/audit.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let soc = soc.restart_with(Config::default()).await;
    assert_eq!(soc.checkpoint().await.1, key);

    std::fs::remove_file(file).unwrap();
    let soc = soc.restart_with(Config::default()).await;
    soc.append("event-5").await;
    soc.assert_broken(4, "not signed by").await;
    let config = Config {
        audit: AuditConfig {
            previous_keys: vec![key.to_string()],
            ..AuditConfig::default()
        },
        ..Config::default()
    };
    let soc = soc.restart_with(config).await;
    soc.publish_each(6..8).await;
    assert_ne!(soc.checkpoint().await.1, key);
}

#[tokio::test]
async fn an_installation_from_before_signatures_goes_on() {
    let soc = Soc::start().await;
    soc.publish_each(0..3).await;
    let head = soc.audit_log().await[3].clone();
    soc.forget_checkpoints().await;
    let folder = soc.context.folder.path().join("lake/audit/checkpoints");
    let earlier = folder.join(format!("{:020}.json", head.sequence));
    let text = format!(r#"{{"sequence":{},"hash":"{}"}}"#, head.sequence, head.hash);
    std::fs::write(&earlier, &text).unwrap();
    let soc = soc.restart_with(Config::default()).await;
    soc.publish_each(3..5).await;
    std::fs::write(&earlier, &text[..30]).unwrap();
    soc.assert_broken(0, "00000000000000000004.json").await;
    let other = text.replace(&head.hash, &"0".repeat(64));
    std::fs::write(&earlier, other).unwrap();
    soc.assert_broken(4, "rewritten").await;
}

#[tokio::test]
async fn what_was_recorded_last_is_published_when_the_auditor_stops() {
    let soc = Soc::start().await;
    soc.publish_each(0..1).await;
    soc.append("event-1").await;
    let soc = soc.restart_with(Config::default()).await;
    let newest = soc.checkpoint_files().pop().unwrap();
    assert!(newest.ends_with(format!("{:020}.note", 4)), "{newest:?}");
}
