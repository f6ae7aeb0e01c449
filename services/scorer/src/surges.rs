//! Predicted windows into the workspace, and their tombstones when they no longer stand.

use std::collections::{BTreeMap, HashSet};

use foretide_db::DbError;
use foretide_domain::RunId;
use foretide_logs_ingestion::{ChunkOutcome, table_of, tombstone};
use foretide_outbox::{Item, Outcome};
use foretide_write_back::Accepted;
use serde_json::Value;
use uuid::Uuid;

use crate::metrics;
use crate::rows::KEPT_OF_WINDOW;
use crate::storage::{Retraction, SentSurges, SurgeRow, SurgeState};
use crate::write_back::{Workspace, describe, held_by};

/// Rows that are sent together, and the states they go through.
struct Shipment {
    from: SurgeState,
    to: SurgeState,
    rows: Vec<SurgeRow>,
    values: Vec<Value>,
}

impl Workspace {
    /// Announces what is due and takes back what no longer stands, tombstones first. While the kill
    /// switch is engaged all coming windows are taken back and nothing is announced.
    pub(crate) async fn send_windows(&self, item: &Item, halted: bool) -> Result<Outcome, DbError> {
        let Some(stream) = &self.sink.surge_stream else {
            return Ok(Outcome::later("scorer.write_back.surge_stream is not set"));
        };
        if item.is_tried_anew() {
            self.store.take_up_surges().await?;
        }
        if halted {
            let retraction = Retraction::by_kill_switch(self.clock.now());
            self.store.retract_coming_surges(&retraction).await?;
        }
        let mut refusal = None;
        while let Some(shipment) = self.next_shipment(halted).await? {
            let outcomes = self.sink.client.upload(stream, &shipment.values).await;
            let mut sent = sort(&shipment.rows, &outcomes);
            let what = if shipment.to == SurgeState::Standing {
                sent.batches = self.accepted_by_run(stream, &shipment.rows, &sent.accepted);
                "windows"
            } else {
                "tombstones"
            };
            self.store
                .surges_sent(shipment.from, shipment.to, &sent)
                .await?;
            metrics::delivered(what, "delivered", sent.accepted.len());
            if let Some(held) = held_by(&outcomes) {
                return Ok(held);
            }
            refusal = refusal.or(sent.refused.into_keys().next());
        }
        Ok(refusal.map_or(Outcome::Delivered(None), Outcome::Refused))
    }

    async fn next_shipment(&self, halted: bool) -> Result<Option<Shipment>, DbError> {
        let rows = self.store.surges_in(&[SurgeState::Retract]).await?;
        if !rows.is_empty() {
            let now = self.clock.now();
            let stone = |row: &SurgeRow| {
                tombstone(&row.row, &KEPT_OF_WINDOW, row.retracted_at.unwrap_or(now)).ok_or_else(
                    || DbError::corrupt("surge_row", "row", row.window_id, "has no key"),
                )
            };
            let values = rows.iter().map(stone).collect::<Result<_, _>>()?;
            return Ok(Some(Shipment {
                from: SurgeState::Retract,
                to: SurgeState::Withdrawn,
                rows,
                values,
            }));
        }
        let (due, sending) = (SurgeState::Due, SurgeState::Sending);
        let rows = match halted {
            true => Vec::new(),
            false => self.store.surges_in(&[due, sending]).await?,
        };
        if rows.is_empty() {
            return Ok(None);
        }
        // from here on the workspace may have them, whatever becomes of this process
        let all: Vec<Uuid> = rows.iter().map(|row| row.window_id).collect();
        self.store.move_surges(&all, due, sending).await?;
        let values = rows.iter().map(|row| row.row.clone()).collect();
        Ok(Some(Shipment {
            from: sending,
            to: SurgeState::Standing,
            rows,
            values,
        }))
    }

    fn accepted_by_run(&self, stream: &str, rows: &[SurgeRow], ids: &[Uuid]) -> Vec<Accepted> {
        let ids: HashSet<&Uuid> = ids.iter().collect();
        let mut counts: BTreeMap<RunId, u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| ids.contains(&row.window_id)) {
            *counts.entry(row.run_id).or_default() += 1;
        }
        let (at, table) = (self.clock.now(), table_of(stream));
        let batches = counts.into_iter().map(|(run_id, rows)| Accepted {
            run_id,
            table: table.clone(),
            rows,
            at,
            watched: self.sink.watched,
        });
        batches.collect()
    }
}

fn sort(rows: &[SurgeRow], outcomes: &[ChunkOutcome]) -> SentSurges {
    let mut sent = SentSurges::default();
    for outcome in outcomes {
        let ids = rows[outcome.rows.clone()].iter().map(|row| row.window_id);
        match &outcome.result {
            Ok(()) => sent.accepted.extend(ids),
            Err(error) if error.worth_another_try() => sent.held.extend(ids),
            Err(error) => sent.refused.entry(describe(error)).or_default().extend(ids),
        }
    }
    if let Some(Outcome::Later { reason, .. }) = held_by(outcomes) {
        sent.problem = Some(reason);
    }
    sent
}
