//! The audit chain: whether it is whole, and what it says.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use foretide_api::governance::v1::{
    AuditRecord, ListAuditRequest, VerifyAuditRequest, VerifyAuditResponse,
};
use http::StatusCode;
use serde::Deserialize;

use crate::calls::{Answer, request};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::session::Session;

const SHOWN: usize = 100;
const SERVICE: &str = "auditor";

#[derive(Deserialize)]
pub(crate) struct AuditQuery {
    #[serde(default)]
    run_id: String,
    /// Sequence of the newest record to show; 0 means the newest there is.
    #[serde(default)]
    from: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    chain: VerifyAuditResponse,
    run_id: String,
    records: Vec<RecordRow>,
    older: Option<u64>,
    is_newest: bool,
}

struct RecordRow {
    sequence: u64,
    recorded_at: Option<Moment>,
    actor: String,
    action: String,
    subject: String,
    run_id: String,
    details: String,
    hash: String,
    short_hash: String,
    is_broken: bool,
}

pub(crate) async fn show(
    session: Session,
    Query(query): Query<AuditQuery>,
) -> Result<Response, PageError> {
    let from_sequence = match query.from.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| {
            PageError::Address("the record to begin with must be a number".to_owned())
        })?,
    };
    let asked = ListAuditRequest {
        from_sequence,
        limit: u32::try_from(SHOWN + 1).expect("a small number"),
        run_id: query.run_id.trim().to_owned(),
        subject: String::new(),
        newest_first: true,
    };
    let (mut records, mut chain) = (session.peers.auditor(), session.peers.auditor());
    let (records, chain) = tokio::join!(
        records.list_audit(request(asked)),
        chain.verify_audit(request(VerifyAuditRequest {})),
    );
    let (mut records, chain) = (records.of(SERVICE)?.records, chain.of(SERVICE)?);
    let older = records.get(SHOWN).map(|record| record.sequence);
    records.truncate(SHOWN);
    let page = AuditPage {
        frame: Frame::new("Audit", Section::Audit, &session),
        records: records
            .into_iter()
            .map(|record| row(record, &chain))
            .collect(),
        chain,
        run_id: query.run_id.trim().to_owned(),
        older,
        is_newest: from_sequence == 0,
    };
    Ok(page::render(StatusCode::OK, &page))
}

fn row(record: AuditRecord, chain: &VerifyAuditResponse) -> RecordRow {
    RecordRow {
        sequence: record.sequence,
        recorded_at: format::moment(record.recorded_at),
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        run_id: record.run_id,
        details: format::pretty_json(&record.details_json),
        short_hash: record.hash.chars().take(12).collect(),
        hash: record.hash,
        is_broken: !chain.intact && chain.broken_sequence == record.sequence,
    }
}
