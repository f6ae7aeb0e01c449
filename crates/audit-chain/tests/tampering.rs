//! Whatever is done to a chain, verification finds it and names the row.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use chrono::{DateTime, TimeDelta, Utc};
use foretide_audit_chain::export::{Exporter, ImportError, verify_file};
use foretide_audit_chain::{
    AuditRecord, CanonicalJson, Digest, Event, Head, Problem, Verifier, append, verify,
};
use proptest::prelude::*;

fn start() -> DateTime<Utc> {
    "2026-01-05T06:00:00Z".parse().unwrap()
}

fn event(number: usize) -> Event {
    Event {
        event_id: format!("event-{number}"),
        actor: "ada".to_owned(),
        action: "proposal.approved".to_owned(),
        subject: format!("proposal/{number}"),
        run_id: number.is_multiple_of(2).then(|| format!("run-{number}")),
        details: CanonicalJson::of(&serde_json::json!({"number": number, "comment": "go"})),
    }
}

fn chain_of(length: usize) -> Vec<AuditRecord> {
    let mut head = Head::genesis();
    let mut records = Vec::new();
    for number in 1..=length {
        let recorded_at = start() + TimeDelta::minutes(number as i64);
        let record = append(&head, event(number), recorded_at);
        head = record.head();
        records.push(record);
    }
    records
}

fn exported(records: &[AuditRecord]) -> Vec<u8> {
    let mut exporter = Exporter::begin(Vec::new()).unwrap();
    for record in records {
        exporter.push(record).unwrap();
    }
    exporter.finish().unwrap()
}

/// Ways to alter one field without touching the hash.
fn alter(record: &mut AuditRecord, field: usize) {
    match field {
        0 => record.event_id.push('x'),
        1 => record.recorded_at += TimeDelta::milliseconds(1),
        2 => record.actor = "mallory".to_owned(),
        3 => record.action = "proposal.rejected".to_owned(),
        4 => record.subject.push(' '),
        5 => {
            record.run_id = if record.run_id.is_some() {
                None
            } else {
                Some(String::new())
            }
        }
        6 => record.details = CanonicalJson::of(&serde_json::json!({"comment": "stop"})),
        7 => record.previous_hash = record.hash,
        8 => record.sequence += 1,
        _ => record.hash = Digest::ZERO,
    }
}

proptest! {
    #[test]
    fn an_untouched_chain_is_whole(length in 0usize..30) {
        let records = chain_of(length);
        let head = verify(&records, &[]).unwrap();
        prop_assert_eq!(head.sequence, length as u64);
        let checkpoints: Vec<_> = records.iter().map(AuditRecord::head).collect();
        prop_assert_eq!(verify(&records, &checkpoints), Ok(head));
        prop_assert_eq!(verify_file(exported(&records).as_slice(), Verifier::new(&checkpoints)).unwrap(), head);
    }

    #[test]
    fn an_altered_field_is_found_in_its_row(
        length in 1usize..20, at in any::<prop::sample::Index>(), field in 0usize..10,
    ) {
        let mut records = chain_of(length);
        let at = at.index(length);
        alter(&mut records[at], field);
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.sequence, at as u64 + 1);
        prop_assert_eq!(broken.problem, Problem::Altered);
    }

    #[test]
    fn an_altered_row_with_a_new_hash_breaks_the_link_after_it(
        length in 2usize..20, at in any::<prop::sample::Index>(), field in 0usize..7,
    ) {
        let mut records = chain_of(length);
        let at = at.index(length - 1);
        alter(&mut records[at], field);
        records[at].hash = records[at].computed_hash();
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.sequence, at as u64 + 2);
        let unlinked = matches!(broken.problem, Problem::Unlinked { .. });
        prop_assert!(unlinked);
    }

    #[test]
    fn a_deleted_row_is_named(length in 2usize..20, at in any::<prop::sample::Index>()) {
        let mut records = chain_of(length);
        let at = at.index(length - 1);
        records.remove(at);
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.sequence, at as u64 + 1);
        prop_assert_eq!(broken.problem, Problem::Missing { found: at as u64 + 2 });
    }

    #[test]
    fn two_exchanged_rows_are_named(
        length in 2usize..20, one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
    ) {
        let mut records = chain_of(length);
        let (one, other) = (one.index(length), other.index(length));
        prop_assume!(one != other);
        records.swap(one, other);
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.sequence, one.min(other) as u64 + 1);
    }

    #[test]
    fn a_repeated_or_forked_row_is_named(
        length in 1usize..20, at in any::<prop::sample::Index>(), fork in any::<bool>(),
    ) {
        let mut records = chain_of(length);
        let at = at.index(length);
        let mut again = records[at].clone();
        if fork {
            again.event_id = "another".to_owned();
            again.hash = again.computed_hash();
        }
        records.insert(at + 1, again);
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.sequence, at as u64 + 1);
        prop_assert_eq!(broken.problem, Problem::Repeated);
    }

    #[test]
    fn a_truncated_tail_is_found_with_a_checkpoint(length in 1usize..20, kept in any::<prop::sample::Index>()) {
        let records = chain_of(length);
        let checkpoint = records[length - 1].head();
        let kept = kept.index(length);
        let broken = verify(&records[..kept], &[checkpoint]).unwrap_err();
        prop_assert_eq!(broken.sequence, kept as u64 + 1);
        prop_assert_eq!(broken.problem, Problem::Truncated { last: kept as u64 });
    }

    #[test]
    fn a_rewritten_chain_is_found_with_a_checkpoint(
        length in 1usize..20, at in any::<prop::sample::Index>(),
    ) {
        let original = chain_of(length);
        let at = at.index(length);
        let mut head = if at == 0 { Head::genesis() } else { original[at - 1].head() };
        let mut rewritten = original[..at].to_vec();
        for (number, record) in original.iter().enumerate().skip(at) {
            let mut forged = event(number + 1);
            forged.actor = "mallory".to_owned();
            rewritten.push(append(&head, forged, record.recorded_at));
            head = rewritten[number].head();
        }
        prop_assert!(verify(&rewritten, &[]).is_ok());
        let checkpoint = original[length - 1].head();
        let broken = verify(&rewritten, &[checkpoint]).unwrap_err();
        prop_assert_eq!(broken.sequence, length as u64);
        prop_assert_eq!(broken.problem, Problem::NotTheCheckpoint { expected: checkpoint.hash });
    }

    #[test]
    fn a_file_that_was_cut_anywhere_is_refused(length in 0usize..8, at in any::<prop::sample::Index>()) {
        let whole = exported(&chain_of(length));
        // The very last byte is only the line break.
        let at = at.index(whole.len() - 1);
        prop_assert!(verify_file(&whole[..at], Verifier::new(&[])).is_err());
    }

    #[test]
    fn a_file_with_one_flipped_bit_is_refused(
        length in 1usize..6, at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let whole = exported(&chain_of(length));
        let mut flipped = whole.clone();
        let at = at.index(whole.len() - 1);
        flipped[at] ^= 1 << bit;
        prop_assert!(verify_file(flipped.as_slice(), Verifier::new(&[])).is_err());
    }

    #[test]
    fn no_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify_file(bytes.as_slice(), Verifier::new(&[])).is_err());
    }
}

#[test]
fn the_hash_does_not_change_from_version_to_version() {
    let record = append(&Head::genesis(), event(1), start());
    let golden = "9b4b234ce12110567336b24c2f85325d619b22e601d7e4933cb9878a19e80fe8";
    assert_eq!(record.hash.to_string(), golden);
}

#[test]
fn borders_between_fields_count() {
    let mut one = event(1);
    let mut other = event(1);
    one.actor = "ab".to_owned();
    one.action = "c".to_owned();
    other.actor = "a".to_owned();
    other.action = "bc".to_owned();
    let one = append(&Head::genesis(), one, start());
    let other = append(&Head::genesis(), other, start());
    assert_ne!(one.hash, other.hash);
}

#[test]
fn the_same_event_twice_is_refused() {
    let first = append(&Head::genesis(), event(1), start());
    let again = append(&first.head(), event(1), start());
    let broken = verify([&first, &again], &[]).unwrap_err();
    assert_eq!(
        (broken.sequence, broken.problem),
        (2, Problem::RepeatedEvent)
    );
}

#[test]
fn a_bad_line_is_named() {
    let chain = exported(&chain_of(2));
    let text = String::from_utf8(chain).unwrap();
    let line_of = |text: &str| match verify_file(text.as_bytes(), Verifier::new(&[])).unwrap_err() {
        ImportError::Line { line, .. } | ImportError::Broken { line, .. } => line,
        ImportError::Io(error) => panic!("{error}"),
    };
    assert_eq!(line_of(""), 1);
    assert_eq!(line_of(&text.replacen("chain\":1", "chain\":2", 1)), 1);
    assert_eq!(
        line_of(&text.replacen("\"actor\":\"ada\"", "\"actor\":\"eve\"", 1)),
        2
    );
    assert_eq!(
        line_of(&text.replacen("\"actor\":\"ada\"", "\"actor\":7", 1)),
        2
    );
    assert_eq!(line_of(&format!("{text}{text}")), 5);
    assert_eq!(
        line_of(&text.replace("{\"head\":{\"sequence\":2", "{\"head\":{\"sequence\":3")),
        4
    );
    let long = format!("{{\"foretide_audit_chain\":1}}\n{}", "x".repeat(3 << 20));
    assert_eq!(line_of(&long), 2);
}
