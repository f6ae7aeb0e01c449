//! `audit`: verify, export, list.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use foretide_api::governance::v1::{AuditRecord, ListAuditRequest, VerifyAuditRequest};
use foretide_audit_chain::export::Exporter;
use foretide_audit_chain::{CanonicalJson, Head};
use foretide_service_runtime::Peers;

use crate::cli::AuditCommand;
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable};

/// Records fetched at a time.
const PAGE: u32 = 500;

pub(super) async fn run(command: AuditCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify {
            file: Some(file),
            head,
            ..
        } => verify_file(&file, head.as_deref()),
        AuditCommand::Verify {
            file: None,
            head,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            verify_running(&peers, head.as_deref()).await
        }
        AuditCommand::Export { file, caller } => {
            let peers = connection::open(config, &caller, "operator")?;
            export(&peers, &file).await
        }
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

async fn verify_running(peers: &Peers, head: Option<&str>) -> anyhow::Result<()> {
    let answer = peers
        .auditor()
        .verify_audit(VerifyAuditRequest {})
        .await
        .map_err(|status| plainly(&status))?;
    let report = answer.into_inner();
    if !report.intact {
        bail!(
            "the audit log is broken at row {}: {}",
            report.broken_sequence,
            report.problem
        );
    }
    if let Some(head) = head {
        hold_against(peers, checkpoint(head)?).await?;
    }
    println!(
        "intact: {} records, head {}:{}",
        report.records, report.records, report.head_hash
    );
    Ok(())
}

/// The record at the checkpoint must still be the one that was noted.
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
fn verify_file(file: &Path, head: Option<&str>) -> anyhow::Result<()> {
    let reader =
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let checkpoints: Vec<Head> = head.map(checkpoint).transpose()?.into_iter().collect();
    let head =
        foretide_audit_chain::export::verify_file(std::io::BufReader::new(reader), &checkpoints)
            .with_context(|| format!("{} does not hold", file.display()))?;
    println!(
        "intact: {} records, head {}:{}",
        head.sequence, head.sequence, head.hash
    );
    Ok(())
}

fn checkpoint(text: &str) -> anyhow::Result<Head> {
    let parsed = text.split_once(':').and_then(|(sequence, hash)| {
        Some(Head {
            sequence: sequence.parse().ok()?,
            hash: hash.parse().ok()?,
        })
    });
    parsed.with_context(|| {
        format!(
            "a checkpoint looks like SEQUENCE:HASH, got {:?}",
            printable(text)
        )
    })
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
