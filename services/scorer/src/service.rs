//! Scoring: from a champion and a frame to a stored forecast.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{
    ForecastId, ModelKind, Quantiles, QuantilesError, RunId, SeriesId, TimeSpan, Trigger, UseCase,
    UseCaseId, floor_hour, hours_between,
};
use foretide_forecasting::metrics::widened;
use foretide_forecasting::risk::WindowSpread;
use foretide_forecasting::{EndFactors, Hierarchy, PanelPrediction, PanelSchema, ScoringFrame};
use foretide_onnx::OnnxForecaster;
use foretide_outbox::Courier;

use crate::adaptation::{end_factors, told};
use crate::error::ScoreError;
use crate::metrics;
use crate::model::{
    Forecast, Issue, JudgedWindow, RiskWindow, SeriesForecast, Summary, Validity, forecast_id,
};
use crate::periods::Watched;
use crate::points::Points;
use crate::sessions::Sessions;
use crate::sources::{Champion, Champions, FrameQuery, Frames, Inputs};
use crate::storage::{Store, WindowQuery};
use crate::write_back::WriteBack;

/// History that a learned capacity can make use of: 26 weeks.
const LONGEST_HISTORY_HOURS: u32 = 26 * 168;
/// A model needs a week.
const SHORTEST_HISTORY_HOURS: u32 = 168;
/// However incomplete the inputs, intervals are widened at most this much.
const LARGEST_WIDENING: f64 = 4.0;

/// Told how far the scoring is: stage in plain words, units done, units in all.
pub(crate) type Progress = Arc<dyn Fn(&str, usize, usize) + Send + Sync>;

/// What the service can do.
pub(crate) struct Scorer {
    pub(crate) champions: Arc<dyn Champions>,
    pub(crate) frames: Arc<dyn Frames>,
    pub(crate) sessions: Sessions,
    pub(crate) store: Store,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
    pub(crate) write_back: Arc<WriteBack>,
    pub(crate) audit: Courier,
    pub(crate) completeness_threshold: f64,
    pub(crate) valid_for_hours: u32,
}

/// What a scoring asks for.
#[derive(Debug, Clone)]
pub(crate) struct ScoreCommand {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) as_of: DateTime<Utc>,
    /// None: the use case's own.
    pub(crate) horizon_hours: Option<u32>,
}

/// Which forecast is read.
#[derive(Debug, Clone)]
pub(crate) struct ForecastQuery {
    pub(crate) use_case: UseCaseId,
    pub(crate) series: SeriesId,
    pub(crate) forecast_id: Option<ForecastId>,
    pub(crate) issued_before: Option<DateTime<Utc>>,
}

/// A forecast, its series by name, and one of them in full.
pub(crate) struct ReadForecast {
    pub(crate) forecast: Forecast,
    pub(crate) series_ids: Vec<SeriesId>,
    pub(crate) series: SeriesForecast,
}

impl Scorer {
    /// Forecasts, keeps and writes back; or finds what this run has made before.
    pub(crate) async fn score(
        &self,
        command: &ScoreCommand,
        progress: Progress,
    ) -> Result<Summary, ScoreError> {
        let use_case = self.forecast_use_case(&command.use_case)?;
        let id = forecast_id(command.run_id, &command.use_case);
        let horizon = command.horizon_hours.unwrap_or(use_case.horizon_hours);
        if !self.made_before(id, command, horizon).await? {
            let began = Instant::now();
            let issue = match &use_case.of {
                None => {
                    self.forecast(id, command, use_case, horizon, &progress)
                        .await?
                }
                Some(of) => {
                    self.watch(id, command, use_case, of, horizon, &progress)
                        .await?
                }
            };
            progress("keeping the forecast", 0, 0);
            self.store
                .keep(&issue, self.write_back.initial_state())
                .await?;
            self.audit.wake();
            metrics::scored(&command.use_case, began.elapsed());
        }
        progress("writing back", 0, 0);
        self.write_back.deliver_now().await;
        Ok(self.store.summary(id).await?)
    }

    fn forecast_use_case(&self, id: &UseCaseId) -> Result<&UseCase, ScoreError> {
        let found = self.use_cases.iter().find(|use_case| use_case.id == *id);
        let use_case = found.ok_or_else(|| ScoreError::UnknownUseCase(id.clone()))?;
        match use_case.model {
            ModelKind::Forecast | ModelKind::Periods => Ok(use_case),
            ModelKind::Ranking => Err(ScoreError::NotAForecast(id.clone())),
        }
    }

    async fn made_before(
        &self,
        id: ForecastId,
        command: &ScoreCommand,
        horizon: u32,
    ) -> Result<bool, ScoreError> {
        let Some(made) = self.store.forecast(id).await? else {
            return Ok(false);
        };
        if made.issued_at != command.as_of || made.horizon_hours != horizon {
            return Err(ScoreError::RunTaken {
                run_id: command.run_id,
                use_case: command.use_case.clone(),
            });
        }
        Ok(true)
    }

    async fn forecast(
        &self,
        id: ForecastId,
        command: &ScoreCommand,
        use_case: &UseCase,
        horizon: u32,
        progress: &Progress,
    ) -> Result<Issue, ScoreError> {
        progress("loading the champion", 0, 0);
        let champion = self.champions.champion(&command.use_case).await?;
        let forecaster = self.sessions.get(&command.use_case, &champion).await?;
        let most = forecaster.schema().horizon_hours;
        if horizon as usize > most {
            let version = champion.version;
            return Err(ScoreError::HorizonTooLong {
                got: horizon,
                most,
                version,
            });
        }
        progress("reading fresh features", 0, 0);
        let query = FrameQuery {
            use_case: command.use_case.clone(),
            as_of: command.as_of,
            horizon_hours: horizon,
            history_hours: history_hours(forecaster.schema(), &champion, command.as_of, use_case),
        };
        let mut inputs = self.frames.inputs(&query).await?;
        keep_known_series(forecaster.schema(), &mut inputs.frame)?;
        progress("running the model", 0, inputs.frame.series.len());
        let (inputs, prediction) = predict(Arc::clone(&forecaster), inputs).await?;
        let forecast = self.header(id, command, &champion, forecaster.schema(), &inputs);
        let ends = end_factors(&self.store, &forecast, &inputs.frame).await?;
        assemble(
            forecast,
            &ends,
            forecaster.schema(),
            &inputs,
            &prediction,
            use_case.trigger.as_ref(),
        )
    }

    fn header(
        &self,
        id: ForecastId,
        command: &ScoreCommand,
        champion: &Champion,
        schema: &PanelSchema,
        inputs: &Inputs,
    ) -> Forecast {
        let start = inputs.frame.start;
        let horizon = u32::try_from(inputs.frame.hour_of_week.len()).unwrap_or(u32::MAX);
        let validity = if inputs.completeness < self.completeness_threshold {
            Validity::Degraded
        } else if is_learning(schema, &SeriesId::total(command.use_case.clone())) {
            Validity::Learning
        } else {
            Validity::Valid
        };
        let end = start + TimeDelta::hours(i64::from(horizon));
        let outdated = command.as_of + TimeDelta::hours(i64::from(self.valid_for_hours));
        Forecast {
            id,
            run_id: command.run_id,
            use_case: command.use_case.clone(),
            issued_at: command.as_of,
            start,
            horizon_hours: horizon,
            model_name: champion.name.clone(),
            model_version: champion.version,
            completeness: inputs.completeness,
            validity,
            valid_until: end.min(outdated),
            drivers: schema.drivers.clone(),
        }
    }

    /// One series of one forecast.
    pub(crate) async fn read(&self, query: &ForecastQuery) -> Result<ReadForecast, ScoreError> {
        self.forecast_use_case(&query.use_case)?;
        let forecast = match query.forecast_id {
            Some(id) => {
                let found = self.store.forecast(id).await?;
                found
                    .filter(|forecast| forecast.use_case == query.use_case)
                    .ok_or_else(|| ScoreError::UnknownForecast {
                        id,
                        use_case: query.use_case.clone(),
                    })?
            }
            None => {
                let newest = self
                    .store
                    .newest(&query.use_case, query.issued_before)
                    .await?;
                newest.ok_or_else(|| ScoreError::NoForecast(query.use_case.clone()))?
            }
        };
        let series = self.store.series(forecast.id, &query.series).await?;
        let series = series.ok_or_else(|| ScoreError::UnknownSeries {
            forecast: forecast.id,
            series: query.series.clone(),
        })?;
        let series_ids = self
            .store
            .series_ids(&[forecast.id])
            .await?
            .remove(&forecast.id);
        Ok(ReadForecast {
            forecast,
            series_ids: series_ids.unwrap_or_default(),
            series,
        })
    }

    /// Forecasts issued in a span, newest first, with the names of their series.
    pub(crate) async fn list(
        &self,
        use_case: &UseCaseId,
        issued: Option<TimeSpan>,
        limit: u32,
    ) -> Result<Vec<(Forecast, Vec<SeriesId>)>, ScoreError> {
        self.forecast_use_case(use_case)?;
        let forecasts = self.store.list(use_case, issued, limit).await?;
        let ids: Vec<_> = forecasts.iter().map(|forecast| forecast.id).collect();
        let mut names = self.store.series_ids(&ids).await?;
        let with_names = |forecast: Forecast| {
            let series = names.remove(&forecast.id).unwrap_or_default();
            (forecast, series)
        };
        Ok(forecasts.into_iter().map(with_names).collect())
    }

    /// Risk windows of a forecast (the newest when the query names none), or those that touch a span.
    pub(crate) async fn windows(
        &self,
        use_case: &UseCaseId,
        query: WindowQuery,
        limit: u32,
    ) -> Result<Vec<RiskWindow>, ScoreError> {
        self.forecast_use_case(use_case)?;
        let query = match query {
            WindowQuery::Newest => match self.store.newest(use_case, None).await? {
                Some(forecast) => WindowQuery::Of(forecast.id),
                None => return Ok(vec![]),
            },
            other => other,
        };
        Ok(self.store.windows(use_case, &query, limit).await?)
    }

    /// All windows of a forecast (the newest when none is named) as they were judged, raised or not,
    /// in order of time.
    pub(crate) async fn judged(
        &self,
        use_case: &UseCaseId,
        id: Option<ForecastId>,
    ) -> Result<Vec<JudgedWindow>, ScoreError> {
        self.forecast_use_case(use_case)?;
        let id = match id {
            Some(id) => id,
            None => match self.store.newest(use_case, None).await? {
                Some(newest) => newest.id,
                None => return Ok(vec![]),
            },
        };
        Ok(self.store.judged_windows(use_case, id).await?)
    }
}

/// As much history as the model and the trigger can use, but none from before the workspace was
/// known.
pub(crate) fn history_hours(
    schema: &PanelSchema,
    champion: &Champion,
    as_of: DateTime<Utc>,
    use_case: &UseCase,
) -> u32 {
    let needed = u32::try_from(schema.history_hours_needed).unwrap_or(u32::MAX);
    let wanted = if use_case.trigger.is_some() {
        LONGEST_HISTORY_HOURS
    } else {
        needed
    };
    let known = hours_between(champion.history_start, floor_hour(as_of));
    let known = u32::try_from(known).unwrap_or(0);
    wanted
        .max(needed)
        .min(known)
        .clamp(SHORTEST_HISTORY_HOURS, LONGEST_HISTORY_HOURS)
}

/// Series that appeared after the training wait for the next one.
fn keep_known_series(schema: &PanelSchema, frame: &mut ScoringFrame) -> Result<(), ScoreError> {
    let before = frame.series.len();
    frame
        .series
        .retain(|series| schema.series.contains(&series.id));
    let left_out = before - frame.series.len();
    if left_out > 0 {
        tracing::info!(
            left_out,
            "series that the champion does not know are left out until the next training"
        );
    }
    if frame.series.is_empty() {
        return Err(ScoreError::BadFrame(
            "it holds none of the champion's series".to_owned(),
        ));
    }
    Ok(())
}

/// Runs the model and makes severity x product add up.
async fn predict(
    forecaster: Arc<OnnxForecaster>,
    inputs: Inputs,
) -> Result<(Inputs, PanelPrediction), ScoreError> {
    let work = move || {
        let rows = forecaster.schema().inputs(&inputs.frame)?;
        let mut prediction = forecaster.predict(&rows)?;
        if let Some(hierarchy) = Hierarchy::of(&inputs.frame.series) {
            hierarchy.reconcile(&mut prediction, inputs.frame.hour_of_week.len());
        }
        Ok((inputs, prediction))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ScoreError::Interrupted)?
}

fn is_learning(schema: &PanelSchema, series: &SeriesId) -> bool {
    let position = schema.series.iter().position(|known| known == series);
    position
        .and_then(|position| schema.learning.get(position).copied())
        .unwrap_or(false)
}

/// Factor by which intervals grow when inputs are incomplete: with half of the inputs, twice as wide.
fn widening(forecast: &Forecast) -> f64 {
    match forecast.validity {
        Validity::Degraded => (1.0 / forecast.completeness.max(f64::EPSILON)).min(LARGEST_WIDENING),
        Validity::Valid | Validity::Learning => 1.0,
    }
}

/// Cuts the model's rows into series and finds the risk windows.
fn assemble(
    forecast: Forecast,
    ends: &HashMap<SeriesId, EndFactors>,
    schema: &PanelSchema,
    inputs: &Inputs,
    prediction: &PanelPrediction,
    trigger: Option<&Trigger>,
) -> Result<Issue, ScoreError> {
    let factor = widening(&forecast);
    let mut series = Vec::with_capacity(inputs.frame.series.len());
    for (position, known) in inputs.frame.series.iter().enumerate() {
        let ends = ends.get(&known.id).copied().unwrap_or_default();
        let points = points_of(position, &forecast, prediction, ends, factor)?;
        let index = schema.series.iter().position(|id| *id == known.id);
        let index =
            index.ok_or_else(|| ScoreError::BadFrame(format!("unknown series {}", known.id)))?;
        series.push(SeriesForecast {
            series_id: known.id.clone(),
            model_kind: schema.kinds[index].name().to_owned(),
            note: told(&schema.notes[index], &ends),
            learning: schema.learning[index],
            points,
        });
    }
    let total = series
        .iter()
        .zip(0..)
        .find(|(one, _)| one.series_id.is_total());
    let judged = trigger.zip(total).map(|(trigger, (total, position))| {
        let watched = Watched {
            forecast: &forecast,
            total,
            spreads: spreads_of(schema, &total.series_id),
        };
        watched.judge(&inputs.frame, position, trigger)
    });
    let judged = judged.unwrap_or_default();
    Ok(Issue {
        forecast,
        series,
        windows: judged.periods,
        judged: judged.windows,
    })
}

/// How far sums of a series fall from their expectation, as its model's backtest showed.
pub(crate) fn spreads_of<'s>(schema: &'s PanelSchema, series: &SeriesId) -> &'s [WindowSpread] {
    let index = schema.series.iter().position(|known| known == series);
    let spreads = index.and_then(|index| schema.window_spreads.get(index));
    spreads.map(Vec::as_slice).unwrap_or_default()
}

fn points_of(
    position: usize,
    forecast: &Forecast,
    prediction: &PanelPrediction,
    ends: EndFactors,
    factor: f64,
) -> Result<Points, ScoreError> {
    let hours = forecast.horizon_hours as usize;
    let width = forecast.drivers.len();
    let rows = position * hours..(position + 1) * hours;
    let missing = || ScoreError::BadPrediction("rows are missing".to_owned());
    let mean = prediction.mean.get(rows.clone()).ok_or_else(missing)?;
    let quantiles = prediction.quantiles.get(rows.clone()).ok_or_else(missing)?;
    let drivers = prediction
        .drivers
        .get(rows.start * width..rows.end * width)
        .ok_or_else(missing)?;
    if let Some(value) = mean.iter().chain(drivers).find(|value| !value.is_finite()) {
        return Err(ScoreError::BadPrediction(value.to_string()));
    }
    let quantiles = quantiles
        .iter()
        .zip(1..)
        .map(|(values, ahead)| {
            let served = ends.moved(&Quantiles::repaired(*values)?, ahead);
            Ok(widened(&served, factor))
        })
        .collect::<Result<_, _>>()
        .map_err(|error: QuantilesError| ScoreError::BadPrediction(error.to_string()))?;
    Ok(Points {
        mean: mean.to_vec(),
        quantiles,
        drivers: drivers.to_vec(),
        ends,
    })
}
