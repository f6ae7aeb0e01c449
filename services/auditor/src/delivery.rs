//! `AI_Governance_CL`: rows into the workspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_domain::{Phase, RunId, SharedClock};
use foretide_logs_ingestion::{RowSink, UploadError, azure_time, table_of};
use foretide_outbox::{Destination, Item, NewItem, Outcome};
use foretide_write_back::{Accepted, note_accepted};
use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};

use crate::model::Evaluation;

/// Rows sent at once at most.
pub(crate) const BATCH: u64 = 500;

/// The row of one evaluation. Its `IdempotencyKey` is the same whenever it is sent.
pub(crate) fn row(evaluation: &Evaluation, phase: Phase) -> NewItem {
    let score = evaluation.score;
    let row = json!({
        "TimeGenerated": azure_time(evaluation.evaluated_at),
        "IssuedAt": azure_time(evaluation.evaluated_at),
        "RunId": evaluation.run_id.to_string(),
        "UseCase": evaluation.use_case.as_str(),
        "SeriesId": evaluation.series_id.to_string(),
        "EvaluationId": evaluation.id.to_string(),
        "Mae": score.mae,
        "Pinball": score.pinball,
        "NaivePinball": score.naive_pinball,
        "Coverage80": score.coverage_80,
        "Coverage95": score.coverage_95,
        "ModelName": evaluation.model_name,
        "ModelVersion": evaluation.model_version.to_string(),
        "Phase": phase.name(),
        "IdempotencyKey": evaluation.id.to_string(),
    });
    NewItem {
        key: evaluation.id.to_string(),
        order_key: None,
        run_id: Some(evaluation.run_id),
        payload: row,
    }
}

/// Where rows go.
pub(crate) struct Workspace {
    pub(crate) client: Arc<dyn RowSink>,
    pub(crate) stream: String,
    /// Whether accepted rows are looked for.
    pub(crate) watched: bool,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl Destination for Workspace {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let rows: Result<Vec<Value>, Outcome> = items.iter().map(Item::read).collect();
        let rows = match rows {
            Ok(rows) => rows,
            Err(_) => return items.iter().map(unreadable).collect(),
        };
        let chunks = self.client.upload(&self.stream, &rows).await;
        let outcomes = chunks.into_iter().flat_map(|chunk| {
            let outcome = outcome(chunk.result);
            std::iter::repeat_n(outcome, chunk.rows.len())
        });
        outcomes.collect()
    }

    /// Rows that were accepted are looked for from now on.
    async fn settled(
        &self,
        transaction: &DatabaseTransaction,
        outcomes: &[(Item, Outcome)],
    ) -> Result<(), DbError> {
        let mut accepted: BTreeMap<RunId, u64> = BTreeMap::new();
        for (item, outcome) in outcomes {
            if let (Outcome::Delivered(_), Some(run_id)) = (outcome, item.run_id) {
                *accepted.entry(run_id).or_default() += 1;
            }
        }
        for (run_id, rows) in accepted {
            let accepted = Accepted {
                run_id,
                table: table_of(&self.stream),
                rows,
                at: self.clock.now(),
                watched: self.watched,
            };
            note_accepted(transaction, &accepted).await?;
        }
        Ok(())
    }
}

/// One that cannot be read is refused; the others of its batch are sent without it.
fn unreadable(item: &Item) -> Outcome {
    match item.read::<Value>() {
        Err(refused) => refused,
        Ok(_) => Outcome::later("another row of the batch could not be read"),
    }
}

fn outcome(result: Result<(), UploadError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Delivered(None),
        Err(error) if error.worth_another_try() => Outcome::Later {
            reason: error.to_string(),
            after: error.retry_after(),
        },
        Err(error) => Outcome::Refused(error.to_string()),
    }
}
