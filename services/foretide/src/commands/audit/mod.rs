//! `audit`: verify, export, witness, list.

mod remote;
mod verify;
mod witness;

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use foretide_api::governance::v1::{AuditRecord, ListAuditRequest};
use foretide_audit_chain::export::Exporter;
use foretide_audit_chain::{CanonicalJson, KeyKind, SigningKey};
use foretide_auditor::key_file;
use foretide_config::ExposeSecret;
use foretide_service_runtime::Peers;

use crate::cli::AuditCommand;
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print};

/// Records fetched at a time.
const PAGE: u32 = 500;

pub(super) async fn run(command: AuditCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify {
            export: Some(file),
            head,
            kept,
            ..
        } => verify::file(&file, head.as_deref(), &kept),
        AuditCommand::Verify {
            export: None,
            head,
            kept,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            verify::running(&peers, head.as_deref(), &kept).await
        }
        AuditCommand::Export {
            file,
            checkpoint,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            if let Some(path) = checkpoint {
                let newest = remote::newest(&peers).await?;
                write(&path, &newest.checkpoint)?;
            }
            export(&peers, &file).await
        }
        AuditCommand::Key { new: None, caller } => {
            let peers = connection::open(config, &caller, "operator")?;
            println!("{}", remote::newest(&peers).await?.verifier_key);
            Ok(())
        }
        AuditCommand::Key {
            new: Some(name), ..
        } => print_new_key(&name),
        AuditCommand::Witness(args) => witness::run(&args, config).await,
        AuditCommand::List { run_id, list } => {
            let peers = connection::open(config, &list.caller, "operator")?;
            let request = ListAuditRequest {
                limit: list.limit,
                run_id: run_id.unwrap_or_default(),
                newest_first: true,
                ..Default::default()
            };
            let answer = peers
                .auditor()
                .list_audit(request)
                .await
                .map_err(|status| plainly(&status))?;
            let records = answer.into_inner().records;
            let rows = records.iter().map(|record| {
                vec![
                    record.sequence.to_string(),
                    minute(record.recorded_at),
                    record.actor.clone(),
                    record.action.clone(),
                    record.subject.clone(),
                    record.run_id.clone(),
                ]
            });
            print(
                list.output.format,
                &records,
                &["#", "at (UTC)", "actor", "action", "subject", "run"],
                rows,
            )
        }
    }
}

/// The private key goes to where secrets are kept, the public one to those who check.
fn print_new_key(name: &str) -> anyhow::Result<()> {
    let secret = key_file::fresh(name, KeyKind::Log)?;
    let key: SigningKey = secret.expose_secret().parse()?;
    println!("{}", secret.expose_secret());
    eprintln!("its verifier key: {}", key.verifier());
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

async fn export(peers: &Peers, file: &Path) -> anyhow::Result<()> {
    let out =
        std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mut exporter = Exporter::begin(std::io::BufWriter::new(out))?;
    let mut next = 1;
    loop {
        let request = ListAuditRequest {
            from_sequence: next,
            limit: PAGE,
            ..Default::default()
        };
        let answer = peers
            .auditor()
            .list_audit(request)
            .await
            .map_err(|status| plainly(&status))?;
        let records = answer.into_inner().records;
        let Some(last) = records.last() else { break };
        next = last.sequence + 1;
        for record in records {
            exporter.push(&link(record)?)?;
        }
    }
    exporter.finish()?.flush()?;
    println!("{} records written to {}", next - 1, file.display());
    Ok(())
}

/// A record of the wire as a link of the chain. It is taken as it is: checking is the verifier's part.
fn link(record: AuditRecord) -> anyhow::Result<foretide_audit_chain::AuditRecord> {
    let digest = |text: &str| text.parse().context("the auditor sent a hash that is none");
    Ok(foretide_audit_chain::AuditRecord {
        sequence: record.sequence,
        event_id: record.event_id,
        recorded_at: foretide_api::moment("recorded_at", record.recorded_at)?,
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        run_id: (!record.run_id.is_empty()).then_some(record.run_id),
        details: CanonicalJson::from_stored(record.details_json),
        previous_hash: digest(&record.previous_hash)?,
        hash: digest(&record.hash)?,
    })
}
