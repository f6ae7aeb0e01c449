//! `docs/verify_audit.py`, which shares no code with this crate, comes to the same verdicts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::Command;

use foretide_audit_chain::export::{Exporter, verify_file};
use foretide_audit_chain::{
    AuditRecord, CanonicalJson, Checkpoint, Event, Head, KeyKind, MerkleTree, Note, SigningKey,
    Verifier, append,
};
use foretide_test_support::{or_skip, python_of, repository_root};
use tempfile::TempDir;

/// An exported log, a checkpoint and a witness's state in a folder, and who signed.
struct Kept {
    python: PathBuf,
    folder: TempDir,
    log: SigningKey,
    witness: SigningKey,
}

impl Kept {
    fn new() -> anyhow::Result<Option<Self>> {
        let Some(python) = or_skip(python_of("microsoft"))? else {
            return Ok(None);
        };
        let key = |name, kind, seed| -> anyhow::Result<SigningKey> {
            Ok(SigningKey::text_of(name, kind, &[seed; 32])?.parse()?)
        };
        Ok(Some(Self {
            python,
            folder: tempfile::tempdir()?,
            log: key("foretide.example/audit", KeyKind::Log, 1)?,
            witness: key("witness.example", KeyKind::Cosignature, 2)?,
        }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export(&self, records: &[AuditRecord]) {
        let mut exporter = Exporter::begin(Vec::new()).unwrap();
        for record in records {
            exporter.push(record).unwrap();
        }
        std::fs::write(self.path("audit.ndjson"), exporter.finish().unwrap()).unwrap();
    }

    fn sign(&self, file: &str, records: &[AuditRecord]) {
        let mut tree = MerkleTree::default();
        for record in records {
            tree.push(record.hash.as_bytes());
        }
        let mut note = Checkpoint::sign(tree.head(), &self.log).unwrap();
        if file == "witness.note" {
            note.sign(&self.witness, 1_800_000_000);
        }
        std::fs::write(self.path(file), note.to_string()).unwrap();
    }

    /// What the independent verifier says, which must be what ours does.
    fn verdict(&self) -> String {
        let output = Command::new(&self.python)
            .arg(repository_root().join("docs/verify_audit.py"))
            .arg(self.path("audit.ndjson"))
            .args(["--log-key", &self.log.verifier().to_string()])
            .args(["--witness-key", &self.witness.verifier().to_string()])
            .arg("--checkpoint")
            .arg(self.path("newest.note"))
            .arg("--witness")
            .arg(self.path("witness.note"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.success(),
            said.starts_with("intact"),
            "{said}{errors}"
        );
        assert!(matches!(output.status.code(), Some(0 | 1)), "{errors}");
        let ours = self.our_verdict();
        assert_eq!(
            output.status.success(),
            ours.is_ok(),
            "{said}, but {ours:?}"
        );
        said
    }

    fn our_verdict(&self) -> anyhow::Result<Head> {
        let open = |file: &str| -> anyhow::Result<(Note, Checkpoint)> {
            let note: Note = std::fs::read_to_string(self.path(file))?.parse()?;
            let checkpoint = Checkpoint::open(&note, std::slice::from_ref(self.log.verifier()))?;
            Ok((note, checkpoint))
        };
        let (_, newest) = open("newest.note")?;
        let (witnessed, seen) = open("witness.note")?;
        witnessed.verify(self.witness.verifier())?;
        let export = std::fs::read(self.path("audit.ndjson"))?;
        let verifier = Verifier::new(&[]).with_tree_heads([newest.tree, seen.tree]);
        Ok(verify_file(export.as_slice(), verifier)?)
    }
}

fn chain(length: usize, forged_from: usize) -> Vec<AuditRecord> {
    let mut head = Head::genesis();
    let mut records = Vec::new();
    for number in 1..=length {
        let actor = if number >= forged_from {
            "mallory"
        } else {
            "ada"
        };
        let event = Event {
            event_id: format!("event-{number}"),
            actor: actor.to_owned(),
            action: "proposal.approved".to_owned(),
            subject: format!("proposal/\u{e9} {number}\n\"quoted\""),
            run_id: number.is_multiple_of(2).then(|| format!("run-{number}")),
            details: CanonicalJson::of(&serde_json::json!({"comment": "gehört \u{1f600}"})),
        };
        let milliseconds = number % 3 * 7;
        let at = format!("2026-01-05T06:{number:02}:00.{milliseconds:03}Z");
        let record = append(&head, event, at.parse().unwrap());
        head = record.head();
        records.push(record);
    }
    records
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn g6_good_logs_of_every_size_are_intact_by_both_verifiers() -> anyhow::Result<()> {
    let Some(kept) = Kept::new()? else {
        return Ok(());
    };
    for size in [0, 1, 2, 3, 6, 7, 11, 16, 23] {
        let records = chain(size, usize::MAX);
        kept.export(&records);
        kept.sign("newest.note", &records);
        kept.sign("witness.note", &records[..size / 2]);
        let said = kept.verdict();
        assert_eq!(
            said.trim(),
            format!("intact: {size} records, signed up to record {size}")
        );
    }
    Ok(())
}

#[test]
fn g6_what_was_tampered_with_is_named_by_both_verifiers() -> anyhow::Result<()> {
    let Some(kept) = Kept::new()? else {
        return Ok(());
    };
    let good = chain(11, usize::MAX);
    let begin = || {
        kept.export(&good);
        kept.sign("newest.note", &good);
        kept.sign("witness.note", &good[..6]);
    };
    let broken = |words: &str| {
        let said = kept.verdict();
        assert!(said.starts_with("broken") && said.contains(words), "{said}");
    };
    let (export, newest) = (kept.path("audit.ndjson"), kept.path("newest.note"));
    let witness = kept.path("witness.note");
    // A rewritten record.
    for (from, to) in [
        ("\"actor\":\"ada\"", "\"actor\":\"eve\""),
        ("06:02:00.014Z", "06:02:00.013Z"),
        ("\"run_id\":null", "\"run_id\":\"\""),
        ("gehört", "gehort"),
    ] {
        begin();
        edit(&export, from, to);
        broken("altered");
    }
    // All links fit again.
    begin();
    kept.export(&chain(11, 9));
    broken("records 7 to 11: rewritten");
    // A cut tail, and a log that ends nowhere.
    begin();
    kept.export(&good[..8]);
    broken("record 9: cut off");
    begin();
    let text = std::fs::read_to_string(&export)?;
    let cut: Vec<_> = text.lines().take(9).collect();
    std::fs::write(&export, cut.join("\n"))?;
    broken("not a whole export");
    // A removed record.
    begin();
    let without: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(line, _)| *line != 4)
        .collect();
    let without: Vec<_> = without.into_iter().map(|(_, line)| line).collect();
    std::fs::write(&export, without.join("\n") + "\n")?;
    broken("record 4: missing");
    // A garbled, an altered, an unsigned and a strange checkpoint.
    begin();
    std::fs::write(&newest, "garbled")?;
    broken("newest.note: damaged");
    begin();
    edit(&newest, "\n11\n", "\n10\n");
    broken("not signed by foretide.example/audit, or altered");
    begin();
    let text = std::fs::read_to_string(&newest)?;
    std::fs::write(
        &newest,
        text.lines().take(4).collect::<Vec<_>>().join("\n") + "\n",
    )?;
    broken("newest.note");
    begin();
    edit(
        &newest,
        "foretide.example/audit\n",
        "elsewhere.example/audit\n",
    );
    broken("not of the log foretide.example/audit");
    begin();
    std::fs::copy(&newest, &witness)?;
    broken("not signed by witness.example");
    // A forked history: the log, its export and its newest checkpoint rewritten together.
    begin();
    let forked = chain(11, 4);
    kept.export(&forked);
    kept.sign("newest.note", &forked);
    broken("records 1 to 6: rewritten");
    Ok(())
}
