//! Signed notes and checkpoints: known ones are met, altered ones are refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::{Duration, Instant};

use foretide_audit_chain::export::{Exporter, verify_file};
use foretide_audit_chain::{
    AuditRecord, CanonicalJson, Checkpoint, Event, Head, KeyError, KeyKind, MerkleTree, Note,
    NoteError, Problem, SigningKey, TreeHead, Verifier, VerifierKey, append,
};
use proptest::prelude::*;

/// The example of the Go implementation of signed notes.
const GO_PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key(name: &str, kind: KeyKind) -> SigningKey {
    let seed = [kind as u8; 32];
    let text = SigningKey::text_of(name, kind, &seed).unwrap();
    text.parse().unwrap()
}

fn log() -> SigningKey {
    key("foretide.example/audit", KeyKind::Log)
}

fn tree(size: u64) -> TreeHead {
    let mut tree = MerkleTree::default();
    for entry in 0..size {
        tree.push(&entry.to_be_bytes());
    }
    tree.head()
}

#[test]
fn the_go_implementations_key_and_note_are_ours() {
    let key: SigningKey = GO_PRIVATE.parse().unwrap();
    assert_eq!(key.verifier().to_string(), GO_PUBLIC);
    let note: Note = GO_NOTE.parse().unwrap();
    assert_eq!(note.verify(&GO_PUBLIC.parse().unwrap()), Ok(()));
    let mut ours = Note::new(note.text().to_owned()).unwrap();
    ours.sign(&key, 0);
    assert_eq!(ours.to_string(), GO_NOTE);
}

#[test]
fn a_checkpoint_is_read_as_it_was_signed() {
    let key = log();
    let note = Checkpoint::sign(tree(5), &key).unwrap();
    let read: Note = note.to_string().parse().unwrap();
    assert_eq!(read, note);
    let opened = Checkpoint::open(&read, std::slice::from_ref(key.verifier())).unwrap();
    assert_eq!(opened.tree, tree(5));
    assert_eq!(opened.origin, "foretide.example/audit");
}

#[test]
fn a_witness_signs_beside_the_log_and_its_time_counts() {
    let witness = key("witness.example", KeyKind::Cosignature);
    let mut note = Checkpoint::sign(tree(5), &log()).unwrap();
    assert_eq!(
        note.verify(witness.verifier()),
        Err(NoteError::Unsigned("witness.example".to_owned()))
    );
    note.sign(&witness, 1_700_000_000);
    note.sign(&witness, 1_700_000_060);
    let text = note.to_string();
    assert_eq!(text.matches("witness.example").count(), 1);
    let read: Note = text.parse().unwrap();
    assert_eq!(read.verify(witness.verifier()), Ok(()));
    assert_eq!(read.verify(log().verifier()), Ok(()));
}

#[test]
fn a_checkpoint_of_somebody_else_or_without_a_signature_is_refused() {
    let note = Checkpoint::sign(tree(5), &log()).unwrap();
    let stranger = key("elsewhere.example/audit", KeyKind::Log);
    let refused = Checkpoint::open(&note, std::slice::from_ref(stranger.verifier()));
    assert!(matches!(refused, Err(NoteError::Unsigned(_))));
    let unsigned = Note::new(note.text().to_owned()).unwrap();
    let refused = Checkpoint::open(&unsigned, std::slice::from_ref(log().verifier()));
    assert!(matches!(refused, Err(NoteError::Unsigned(_))));
}

#[test]
fn keys_that_cannot_be_are_refused() {
    let refused = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(refused(""), KeyError::Format);
    assert_eq!(
        refused(&GO_PUBLIC.replace("Peter", "Paul")),
        KeyError::Altered
    );
    assert_eq!(refused(&GO_PUBLIC.replace("+AR", "+AS")), KeyError::Altered);
    assert_eq!(
        refused(&GO_PUBLIC.replace("+AR", "+CR")),
        KeyError::UnknownKind(9)
    );
    assert_eq!(
        SigningKey::text_of("two words", KeyKind::Log, &[7; 32]),
        Err(KeyError::Name)
    );
    let secret = GO_PRIVATE.rsplit_once('+').unwrap().1;
    let key: SigningKey = GO_PRIVATE.parse().unwrap();
    assert!(!format!("{key:?}").contains(secret));
}

/// A chain whose records from the fifth on have this actor.
fn chain(actor: &str, length: u64) -> Vec<AuditRecord> {
    let mut head = Head::genesis();
    let mut records = Vec::new();
    for number in 1..=length {
        let event = Event {
            event_id: format!("event-{number}"),
            actor: if number > 4 { actor } else { "ada" }.to_owned(),
            action: "proposal.approved".to_owned(),
            subject: "proposal/7".to_owned(),
            run_id: None,
            details: CanonicalJson::of(&serde_json::json!({})),
        };
        let record = append(&head, event, "2026-01-05T06:00:00Z".parse().unwrap());
        head = record.head();
        records.push(record);
    }
    records
}

#[test]
fn a_rewritten_chain_is_found_by_the_tree_and_the_rows_named() {
    let tree_head = |size: usize| {
        let mut tree = MerkleTree::default();
        for record in &chain("ada", size as u64) {
            tree.push(record.hash.as_bytes());
        }
        tree.head()
    };
    let verify = |actor: &str, length: u64| {
        let mut verifier = Verifier::new(&[]).with_tree_heads([8, 3, 6].map(tree_head));
        for record in &chain(actor, length) {
            verifier.push(record).unwrap();
        }
        verifier.finish()
    };
    assert_eq!(verify("ada", 9).unwrap().sequence, 9);
    let rewritten = verify("mallory", 9).unwrap_err();
    assert_eq!(rewritten.sequence, 4);
    assert_eq!(rewritten.problem, Problem::NotTheTree { size: 6 });
    let cut = verify("ada", 7).unwrap_err();
    assert_eq!(cut.sequence, 8);
    assert_eq!(cut.problem, Problem::Truncated { last: 7 });
}

#[test]
fn an_export_of_100_000_records_is_verified_in_seconds() {
    let mut exporter = Exporter::begin(Vec::new()).unwrap();
    let mut tree = MerkleTree::default();
    let mut heads = Vec::new();
    for record in &chain("ada", 100_000) {
        exporter.push(record).unwrap();
        tree.push(record.hash.as_bytes());
        if record.sequence.is_multiple_of(500) {
            heads.push(tree.head());
        }
    }
    let file = exporter.finish().unwrap();
    let begun = Instant::now();
    let verifier = Verifier::new(&[]).with_tree_heads(heads);
    let head = verify_file(file.as_slice(), verifier).unwrap();
    let took = begun.elapsed();
    println!("{} records in {took:?}", head.sequence);
    assert_eq!(head.sequence, 100_000);
    // Measured: see ADR 26. Quadratic work would take hours.
    assert!(took < Duration::from_secs(60), "{took:?}");
}

proptest! {
    #[test]
    fn a_changed_byte_is_refused(size in 0u64..30, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let key = log();
        let note = Checkpoint::sign(tree(size), &key).unwrap().to_string();
        let mut bytes = note.clone().into_bytes();
        let place = at.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        let opened = String::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse::<Note>().ok())
            .and_then(|note| Checkpoint::open(&note, std::slice::from_ref(key.verifier())).ok());
        prop_assert_eq!(opened, None);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        let _ = text.parse::<Note>();
        let _ = text.parse::<VerifierKey>();
        let _ = text.parse::<SigningKey>();
    }
}
