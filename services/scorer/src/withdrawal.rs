//! Forecasts taken back: tombstones for their coming hours.

use foretide_db::DbError;
use foretide_domain::SeriesId;
use foretide_logs_ingestion::tombstone;
use serde_json::Value;

use crate::metrics;
use crate::rows::{self, KEPT_OF_ROW};
use crate::storage::Retracted;
use crate::write_back::{Held, Sink, WriteBack, delivered_series, held_by};

impl WriteBack {
    /// Sends the tombstones of withdrawn forecasts. Hours that had begun before the withdrawal stay:
    /// they are what was forecast, and are held against what happened.
    pub(crate) async fn deliver_withdrawals(&self, sink: &Sink) -> Result<Option<Held>, DbError> {
        let _turn = self.turn.lock().await;
        let mut last_held = None;
        for retracted in self.store.retracted_series().await? {
            if let Some(held) = self.withdraw_rows(sink, &retracted).await? {
                last_held = Some(held);
            }
        }
        Ok(last_held)
    }

    async fn withdraw_rows(
        &self,
        sink: &Sink,
        retracted: &Retracted,
    ) -> Result<Option<Held>, DbError> {
        let waiting = &retracted.series;
        let forecast = &waiting.forecast;
        let mut stones: Vec<Value> = Vec::new();
        let mut owners: Vec<&SeriesId> = Vec::new();
        for series in &waiting.series {
            let rows = rows::render(forecast, series);
            let coming = rows.iter().enumerate();
            let coming = coming.filter(|(ahead, _)| forecast.hour(*ahead) > retracted.at);
            let of_series: Vec<Value> = coming
                .filter_map(|(_, row)| tombstone(row, &KEPT_OF_ROW, retracted.at))
                .collect();
            owners.extend(of_series.iter().map(|_| &series.series_id));
            stones.extend(of_series);
        }
        let outcomes = sink.client.upload(&sink.stream, &stones).await;
        let through = delivered_series(waiting, &owners, &outcomes);
        self.store.rows_withdrawn(forecast.id, &through).await?;
        metrics::delivered("tombstones", "delivered", through.len());
        Ok(held_by(&outcomes))
    }
}
