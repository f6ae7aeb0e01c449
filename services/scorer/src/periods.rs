//! High-risk periods: of a use case's own forecast, or of one that it watches.

use chrono::{DateTime, Utc};
use foretide_domain::{ForecastId, SeriesId, Trigger, UseCase, UseCaseId};
use foretide_forecasting::ScoringFrame;
use foretide_forecasting::risk::{self, RiskInput, WindowSpread};

use crate::error::ScoreError;
use crate::model::{
    Forecast, Issue, JudgedWindow, RiskWindow, SeriesForecast, forecast_id, risk_window_id,
};
use crate::service::{Progress, ScoreCommand, Scorer, history_hours, spreads_of};
use crate::sources::FrameQuery;

/// The series that is watched, and what is known of its sums.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'w> {
    pub(crate) forecast: &'w Forecast,
    pub(crate) total: &'w SeriesForecast,
    pub(crate) spreads: &'w [WindowSpread],
}

/// What a trigger makes of a forecast.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Periods that are raised, by the rule that acts and by the baseline.
    pub(crate) periods: Vec<RiskWindow>,
    /// Every window of the rule that acts.
    pub(crate) windows: Vec<JudgedWindow>,
}

impl Scorer {
    /// What this run has forecast of another use case, as far as this one watches it: the same
    /// numbers, so that two use cases never say different things of the same incidents.
    pub(crate) async fn watch(
        &self,
        id: ForecastId,
        command: &ScoreCommand,
        use_case: &UseCase,
        of: &UseCaseId,
        horizon: u32,
        progress: &Progress,
    ) -> Result<Issue, ScoreError> {
        progress(&format!("reading the forecast of {of}"), 0, 0);
        let (watched, total) = self.total_of_run(command, of, horizon).await?;
        let champion = self.champions.version(of, watched.model_version).await?;
        let forecaster = self.sessions.get(of, &champion).await?;
        let schema = forecaster.schema();
        let spreads = spreads_of(schema, &total.series_id);

        progress("reading the history", 0, 0);
        let query = FrameQuery {
            use_case: command.use_case.clone(),
            as_of: command.as_of,
            horizon_hours: horizon,
            history_hours: history_hours(schema, &champion, command.as_of, use_case),
        };
        let frame = self.frames.inputs(&query).await?.frame;
        let forecast = Forecast {
            id,
            use_case: command.use_case.clone(),
            horizon_hours: horizon,
            ..watched
        };
        let mut series = SeriesForecast {
            series_id: SeriesId::total(command.use_case.clone()),
            ..total
        };
        series.points.keep_first(horizon as usize);
        let position = frame
            .series
            .iter()
            .position(|one| one.id == series.series_id);
        let position =
            position.ok_or_else(|| ScoreError::BadFrame("it has no total".to_owned()))?;
        let judged = use_case.trigger.as_ref().map(|trigger| {
            let watched = Watched {
                forecast: &forecast,
                total: &series,
                spreads,
            };
            watched.judge(&frame, position, trigger)
        });
        let judged = judged.unwrap_or_default();
        Ok(Issue {
            forecast,
            series: vec![series],
            windows: judged.periods,
            judged: judged.windows,
        })
    }

    /// The forecast that the command's run has made of the watched use case, and its total.
    async fn total_of_run(
        &self,
        command: &ScoreCommand,
        of: &UseCaseId,
        horizon: u32,
    ) -> Result<(Forecast, SeriesForecast), ScoreError> {
        let watched = self.store.forecast(forecast_id(command.run_id, of)).await?;
        let watched = watched.ok_or_else(|| ScoreError::NotForecastYet {
            use_case: command.use_case.clone(),
            of: of.clone(),
            run_id: command.run_id,
        })?;
        if horizon > watched.horizon_hours {
            return Err(ScoreError::HorizonTooLong {
                got: horizon,
                most: watched.horizon_hours as usize,
                version: watched.model_version,
            });
        }
        let id = SeriesId::total(of.clone());
        let total = self.store.series(watched.id, &id).await?;
        let total = total.ok_or(ScoreError::UnknownSeries {
            forecast: watched.id,
            series: id,
        })?;
        Ok((watched, total))
    }
}

impl Watched<'_> {
    /// Judges the forecast by the rule that acts and by the baseline that is only recorded. The
    /// watched series stands at `position` of the frame.
    pub(crate) fn judge(self, frame: &ScoringFrame, position: usize, trigger: &Trigger) -> Judged {
        let history = &frame.series[position].values;
        let input = RiskInput {
            start: self.forecast.start,
            hour_of_week: &frame.hour_of_week,
            mean: &self.total.points.mean,
            drivers: &self.total.points.drivers,
            driver_names: &self.forecast.drivers,
            spreads: self.spreads,
            history,
            history_hour_of_week: &frame.history_hour_of_week,
            history_announced: &risk::announced_hours(&frame.regressors, history.len()),
        };
        let acting = risk::weekday_conformal(&input, trigger);
        let baseline = risk::rolling_2sd(&input, trigger);
        let raised_by_baseline = |start: DateTime<Utc>| {
            let same = baseline.iter().find(|window| window.span.start == start);
            same.map(|window| window.is_raised)
        };
        let windows = acting
            .iter()
            .map(|window| JudgedWindow {
                span: window.span,
                probability: window.probability,
                expected: window.expected,
                capacity: window.capacity,
                capacity_kind: window.capacity_kind,
                is_raised: window.is_raised,
                baseline_raised: raised_by_baseline(window.span.start),
            })
            .collect();
        let acting = input
            .periods(&acting)
            .into_iter()
            .map(|period| (period, true));
        let baseline = input.periods(&baseline).into_iter();
        let baseline = baseline.map(|period| (period, false));
        let periods = acting.chain(baseline);
        Judged {
            periods: periods
                .map(|(period, acts)| self.window(period, acts))
                .collect(),
            windows,
        }
    }

    fn window(self, period: risk::RiskWindow, acts: bool) -> RiskWindow {
        let (forecast, series_id) = (self.forecast, &self.total.series_id);
        RiskWindow {
            id: risk_window_id(forecast.id, period.trigger, series_id, period.span.start),
            forecast_id: forecast.id,
            run_id: forecast.run_id,
            use_case: forecast.use_case.clone(),
            series_id: series_id.clone(),
            span: period.span,
            probability: period.probability,
            expected: period.expected,
            capacity: period.capacity,
            capacity_kind: Some(period.capacity_kind),
            rule: period.trigger.to_owned(),
            acts,
            drivers: period.drivers,
            issued_at: forecast.issued_at,
            validity: forecast.validity_of(self.total),
        }
    }
}
