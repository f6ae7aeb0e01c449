//! `audit witness`: somebody else, who remembers what the log was and signs that it only grew.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use foretide_audit_chain::{Checkpoint, KeyKind, Note, NoteError, ProofError, SigningKey};
use foretide_auditor::key_file;
use foretide_service_runtime::{PeerUrls, Peers};

use super::remote;
use super::verify::read_checkpoint;
use crate::cli::WitnessArgs;
use crate::config::Config;
use crate::{connection, process};

pub(super) async fn run(args: &WitnessArgs, config: &Config) -> anyhow::Result<()> {
    let key = key_file::read_or_make(&args.key, &args.name, KeyKind::Cosignature)?;
    eprintln!("witness key: {}", key.verifier());
    let peers = peers(args, config)?;
    let clock = config.clock();
    loop {
        match look(args, &peers, &key, clock.now()).await {
            Err(error) if args.once || is_conviction(&error) => return Err(error),
            // Who cannot be reached today may be tomorrow; what was seen is kept.
            Err(error) => eprintln!("foretide: {error:#}"),
            Ok(()) if args.once => return Ok(()),
            Ok(()) => {}
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

fn peers(args: &WitnessArgs, config: &Config) -> anyhow::Result<Peers> {
    let Some(server) = &args.server else {
        return connection::open(config, &args.caller, "operator");
    };
    let urls = PeerUrls {
        auditor: server.to_string(),
        ..config.peers()
    };
    let token = connection::token(config, &args.caller, "operator")?;
    process::peers(&urls, &token)
}

/// Looks once: what the log is now must continue what was seen last, and is signed and kept then.
async fn look(
    args: &WitnessArgs,
    peers: &Peers,
    key: &SigningKey,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let seen = seen(args, key)?;
    let answer = remote::newest(peers).await?;
    let mut note: Note = answer
        .checkpoint
        .parse()
        .context("the auditor's newest checkpoint")?;
    let newest = Checkpoint::open(&note, std::slice::from_ref(&args.log_key))
        .context("the auditor's newest checkpoint")?;
    if let Some(seen) = &seen {
        remote::check_growth(peers, &seen.tree, &newest.tree)
            .await
            .with_context(|| {
                format!(
                    "the log is not what this witness saw at record {}",
                    seen.tree.size
                )
            })?;
    }
    note.sign(key, u64::try_from(now.timestamp()).unwrap_or_default());
    keep(&args.state, &note)?;
    match seen {
        Some(seen) => println!(
            "record {}: the log only grew since record {}",
            newest.tree.size, seen.tree.size
        ),
        None => println!("record {}: seen for the first time", newest.tree.size),
    }
    Ok(())
}

/// What was seen last. Nobody but this witness may have written it.
fn seen(args: &WitnessArgs, key: &SigningKey) -> anyhow::Result<Option<Checkpoint>> {
    if !args.state.try_exists()? {
        return Ok(None);
    }
    let (note, checkpoint) = read_checkpoint(&args.state, &args.log_key)?;
    note.verify(key.verifier())
        .with_context(|| args.state.display().to_string())?;
    Ok(Some(checkpoint))
}

/// Replaces the state as a whole, so that it is never half written.
fn keep(path: &Path, note: &Note) -> anyhow::Result<()> {
    let draft = path.with_extension("draft");
    super::write(&draft, &note.to_string())?;
    std::fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether the log, or what was seen of it, was tampered with: no later look makes that good.
fn is_conviction(error: &anyhow::Error) -> bool {
    error.is::<ProofError>() || error.is::<NoteError>()
}
