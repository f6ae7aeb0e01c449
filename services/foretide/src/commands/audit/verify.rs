//! `audit verify`: the running auditor's log, or an exported file, against what is known from elsewhere.

use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, bail};
use foretide_api::governance::v1::{ListAuditRequest, VerifyAuditRequest};
use foretide_audit_chain::export::verify_file;
use foretide_audit_chain::{Checkpoint, Head, MAX_NOTE_BYTES, Note, Verifier, VerifierKey};
use foretide_service_runtime::Peers;

use super::remote;
use crate::cli::KeptArgs;
use crate::connection::plainly;
use crate::render::printable;

/// A checkpoint that somebody kept, by the name of its file.
struct Kept {
    origin: String,
    checkpoint: Checkpoint,
}

pub(super) async fn running(
    peers: &Peers,
    head: Option<&str>,
    kept: &KeptArgs,
) -> anyhow::Result<()> {
    let kept_checkpoints = read_kept(kept)?;
    let answer = peers.auditor().verify_audit(VerifyAuditRequest {}).await;
    let report = answer.map_err(|status| plainly(&status))?.into_inner();
    if !report.intact {
        // Not every fault lies in a row.
        match report.broken_sequence {
            0 => bail!("the audit log is broken: {}", report.problem),
            row => bail!("the audit log is broken at row {row}: {}", report.problem),
        }
    }
    if let Some(head) = head {
        hold_against(peers, parse_head(head)?).await?;
    }
    if let Some(key) = &kept.log_key {
        let newest = remote::newest(peers).await?;
        let note: Note = newest.checkpoint.parse()?;
        let newest = Checkpoint::open(&note, std::slice::from_ref(key))
            .context("the auditor's newest checkpoint")?;
        for kept in &kept_checkpoints {
            remote::check_growth(peers, &kept.checkpoint.tree, &newest.tree)
                .await
                .with_context(|| format!("held against {}", kept.origin))?;
        }
    }
    println!(
        "intact: {} records, head {}:{}",
        report.records, report.records, report.head_hash
    );
    Ok(())
}

/// The record at the head must still be the one that was noted.
async fn hold_against(peers: &Peers, head: Head) -> anyhow::Result<()> {
    let request = ListAuditRequest {
        from_sequence: head.sequence,
        limit: 1,
        ..Default::default()
    };
    let answer = peers
        .auditor()
        .list_audit(request)
        .await
        .map_err(|status| plainly(&status))?;
    match answer.into_inner().records.first() {
        Some(record)
            if record.sequence == head.sequence && record.hash == head.hash.to_string() =>
        {
            Ok(())
        }
        Some(record) => bail!(
            "row {} is not the one the checkpoint noted: the log was rewritten",
            record.sequence
        ),
        None => bail!(
            "row {} of the checkpoint is gone: the log was cut off",
            head.sequence
        ),
    }
}

/// Checks an exported file without any service.
pub(super) fn file(file: &Path, head: Option<&str>, kept: &KeptArgs) -> anyhow::Result<()> {
    let reader =
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let heads: Vec<Head> = head.map(parse_head).transpose()?.into_iter().collect();
    let kept = read_kept(kept)?;
    let trees = kept.iter().map(|kept| kept.checkpoint.tree);
    let verifier = Verifier::new(&heads).with_tree_heads(trees);
    let head = verify_file(BufReader::new(reader), verifier)
        .with_context(|| format!("{} does not hold", file.display()))?;
    println!(
        "intact: {} records, head {}:{}",
        head.sequence, head.sequence, head.hash
    );
    for kept in &kept {
        println!(
            "signed up to record {}: {}",
            kept.checkpoint.tree.size, kept.origin
        );
    }
    Ok(())
}

/// Reads the checkpoints that are given and checks who signed them.
fn read_kept(args: &KeptArgs) -> anyhow::Result<Vec<Kept>> {
    let Some(log_key) = &args.log_key else {
        return Ok(Vec::new());
    };
    let mut kept = Vec::new();
    for path in args.checkpoint.iter().chain(&args.witness) {
        let (note, checkpoint) = read_checkpoint(path, log_key)?;
        if let (Some(key), true) = (&args.witness_key, args.witness.as_ref() == Some(path)) {
            note.verify(key)
                .with_context(|| path.display().to_string())?;
        }
        kept.push(Kept {
            origin: path.display().to_string(),
            checkpoint,
        });
    }
    Ok(kept)
}

/// Reads a signed checkpoint.
pub(super) fn read_checkpoint(
    path: &Path,
    log_key: &VerifierKey,
) -> anyhow::Result<(Note, Checkpoint)> {
    let named = || path.display().to_string();
    let length = std::fs::metadata(path).with_context(named)?.len();
    if length > MAX_NOTE_BYTES as u64 {
        bail!("{}: not a signed note: it is too long", path.display());
    }
    let note: Note = std::fs::read_to_string(path)
        .with_context(named)?
        .parse()
        .with_context(named)?;
    let checkpoint = Checkpoint::open(&note, std::slice::from_ref(log_key)).with_context(named)?;
    Ok((note, checkpoint))
}

fn parse_head(text: &str) -> anyhow::Result<Head> {
    let parsed = text.split_once(':').and_then(|(sequence, hash)| {
        Some(Head {
            sequence: sequence.parse().ok()?,
            hash: hash.parse().ok()?,
        })
    });
    parsed.with_context(|| format!("a head looks like SEQUENCE:HASH, got {:?}", printable(text)))
}
