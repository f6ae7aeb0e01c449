//! Predicted windows into the workspace, and their tombstones when they no longer stand.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use foretide_db::DbError;
use foretide_domain::RunId;
use foretide_logs_ingestion::{ChunkOutcome, table_of, tombstone};
use foretide_write_back::Accepted;
use serde_json::Value;
use uuid::Uuid;

use crate::metrics;
use crate::rows::KEPT_OF_WINDOW;
use crate::storage::{Retraction, SurgeRow, SurgeState};
use crate::write_back::{Held, Sink, WriteBack, held_by};

impl WriteBack {
    /// Announces what is due and takes back what no longer stands, tombstones first. While the kill
    /// switch is engaged nothing is announced.
    pub(crate) async fn deliver_surges(&self, sink: &Sink) -> Result<Option<Held>, DbError> {
        let Some(stream) = &sink.surge_stream else {
            return Ok(None);
        };
        let _turn = self.turn.lock().await;
        let retracted = self.retract_surges(sink, stream).await?;
        if retracted.is_some() || self.kill_switch.load(Ordering::Acquire) {
            return Ok(retracted);
        }
        self.announce_surges(sink, stream).await
    }

    /// Takes back every window that is not over. What was not sent yet never is.
    pub(crate) async fn retract_everything(&self, because: &str) -> Result<(), DbError> {
        let retraction = Retraction {
            at: self.clock.now(),
            because: because.to_owned(),
        };
        let count = self.store.retract_coming_surges(&retraction).await?;
        if count > 0 {
            tracing::warn!(count, because, "predicted windows are taken back");
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn announce_surges(&self, sink: &Sink, stream: &str) -> Result<Option<Held>, DbError> {
        let rows = self.store.surges_to_announce().await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // from here on the workspace may have them, whatever becomes of this process
        let (due, sending) = (SurgeState::Due, SurgeState::Sending);
        let all: Vec<Uuid> = rows.iter().map(|row| row.window_id).collect();
        self.store.move_surges(&all, due, sending, None).await?;
        let values: Vec<Value> = rows.iter().map(|row| row.row.clone()).collect();
        let outcomes = sink.client.upload(stream, &values).await;
        let settled = settle(&rows, &outcomes);
        let accepted = self.accepted_by_run(sink, stream, &settled.accepted);
        let ids = ids(&settled.accepted);
        self.store.surges_announced(&ids, &accepted).await?;
        for (row, problem) in &settled.refused {
            let (id, refused) = ([row.window_id], SurgeState::Refused);
            self.store
                .move_surges(&id, sending, refused, Some(problem))
                .await?;
        }
        metrics::delivered("windows", "delivered", settled.accepted.len());
        self.note_held(&rows, sending, held_by(&outcomes)).await
    }

    async fn retract_surges(&self, sink: &Sink, stream: &str) -> Result<Option<Held>, DbError> {
        let rows = self.store.surges_to_retract().await?;
        let now = self.clock.now();
        let stones: Vec<(SurgeRow, Value)> = rows
            .into_iter()
            .filter_map(|row| {
                let at = row.retracted_at.unwrap_or(now);
                let stone = tombstone(&row.row, &KEPT_OF_WINDOW, at)?;
                Some((row, stone))
            })
            .collect();
        if stones.is_empty() {
            return Ok(None);
        }
        let (rows, values): (Vec<_>, Vec<_>) = stones.into_iter().unzip();
        let outcomes = sink.client.upload(stream, &values).await;
        let settled = settle(&rows, &outcomes);
        let (from, to) = (SurgeState::Retract, SurgeState::Withdrawn);
        let accepted = ids(&settled.accepted);
        self.store.move_surges(&accepted, from, to, None).await?;
        for (row, problem) in &settled.refused {
            let (id, refused) = ([row.window_id], SurgeState::Refused);
            self.store
                .move_surges(&id, from, refused, Some(problem))
                .await?;
        }
        metrics::delivered("tombstones", "delivered", accepted.len());
        self.note_held(&rows, from, held_by(&outcomes)).await
    }

    async fn note_held(
        &self,
        rows: &[SurgeRow],
        state: SurgeState,
        held: Option<Held>,
    ) -> Result<Option<Held>, DbError> {
        let Some(held) = held else { return Ok(None) };
        let all: Vec<Uuid> = rows.iter().map(|row| row.window_id).collect();
        self.store
            .move_surges(&all, state, state, Some(&held.problem))
            .await?;
        Ok(Some(held))
    }

    fn accepted_by_run(&self, sink: &Sink, stream: &str, rows: &[&SurgeRow]) -> Vec<Accepted> {
        let mut counts: BTreeMap<RunId, u64> = BTreeMap::new();
        for row in rows {
            *counts.entry(row.run_id).or_default() += 1;
        }
        let (at, table) = (self.clock.now(), table_of(stream));
        let batches = counts.into_iter().map(|(run_id, rows)| Accepted {
            run_id,
            table: table.clone(),
            rows,
            at,
            watched: sink.watched,
        });
        batches.collect()
    }
}

/// What became of rows: accepted, or refused for good. The others stay as they are.
struct Settled<'r> {
    accepted: Vec<&'r SurgeRow>,
    refused: Vec<(&'r SurgeRow, String)>,
}

fn settle<'r>(rows: &'r [SurgeRow], outcomes: &[ChunkOutcome]) -> Settled<'r> {
    let mut settled = Settled {
        accepted: Vec::new(),
        refused: Vec::new(),
    };
    for outcome in outcomes {
        let of_chunk = &rows[outcome.rows.clone()];
        match &outcome.result {
            Ok(()) => settled.accepted.extend(of_chunk),
            Err(error) if error.worth_another_try() => {}
            Err(error) => {
                tracing::error!(%error, rows = of_chunk.len(), "predicted windows are refused for good");
                let refused = of_chunk.iter().map(|row| (row, error.to_string()));
                settled.refused.extend(refused);
            }
        }
    }
    settled
}

fn ids(rows: &[&SurgeRow]) -> Vec<Uuid> {
    rows.iter().map(|row| row.window_id).collect()
}
