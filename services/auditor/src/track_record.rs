//! How right a use case was: hours against intervals, warnings against what happened.

use std::iter;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{HOUR, SeriesId, TimeSpan, UseCase, UseCaseId};
use foretide_forecasting::risk::{SettledWindow, TrackRecord, Warnings, track_record};
use foretide_policy::{Evidence, GateReport, WindowEvidence, judge, judge_windows};

use crate::error::AuditorError;
use crate::evaluate::evidence;
use crate::model::{HourlyCounts, IssuedForecast, JudgedWindow, Standing, WindowOutcome};
use crate::service::Auditor;
use crate::storage::EvaluationFilter;

/// Evaluations the gate looks at: more than a year of daily forecasts of a total.
const GATE_EVALUATIONS: u64 = 10_000;

impl Auditor {
    /// What the gate says of the newest evaluations: of warnings where a use case watches for
    /// high-risk periods, else of hours.
    pub(crate) async fn gate(
        &self,
        use_case: &UseCaseId,
        as_of: DateTime<Utc>,
    ) -> Result<GateReport, AuditorError> {
        Ok(self.standing(use_case, as_of).await?.gate)
    }

    /// How right a use case was over the days that count for its gate.
    pub(crate) async fn standing(
        &self,
        use_case: &UseCaseId,
        as_of: DateTime<Utc>,
    ) -> Result<Standing, AuditorError> {
        let declared = self.declared(use_case)?;
        let span = self.gate_span(as_of);
        let hours = self.hourly_evidence(use_case, span).await?;
        let windows = self.windows(declared, span).await?;
        let (gate, settled_days, settled_days_needed) = match &windows {
            Some(record) if declared.of.is_some() => {
                let criteria = &self.config.window_gate;
                let gate = judge_windows(&window_evidence(record), criteria);
                (gate, record.settled_days, criteria.settled_days)
            }
            _ => {
                let criteria = &self.config.gate;
                let gate = judge(&hours, criteria);
                (gate, hours.settled_days, criteria.settled_days)
            }
        };
        Ok(Standing {
            use_case: use_case.clone(),
            gate,
            window_days: self.config.gate_window_days,
            settled_days,
            settled_days_needed,
            hours,
            windows,
        })
    }

    /// The settled windows of the same days, in order of time.
    pub(crate) async fn settled_windows(
        &self,
        use_case: &UseCaseId,
        as_of: DateTime<Utc>,
    ) -> Result<Vec<WindowOutcome>, AuditorError> {
        let span = self.gate_span(as_of);
        self.storage.settled_windows(use_case, span).await
    }

    fn gate_span(&self, as_of: DateTime<Utc>) -> TimeSpan {
        TimeSpan {
            start: as_of - TimeDelta::days(i64::from(self.config.gate_window_days)),
            end: as_of,
        }
    }

    /// Of the total series, or of all series where there is no total.
    async fn hourly_evidence(
        &self,
        use_case: &UseCaseId,
        span: TimeSpan,
    ) -> Result<Evidence, AuditorError> {
        let mut filter = EvaluationFilter {
            use_case: Some(use_case.clone()),
            series_id: Some(SeriesId::total(use_case.clone())),
            begins: Some(span),
            limit: GATE_EVALUATIONS,
        };
        let mut evaluations = self.storage.evaluations(&filter).await?;
        if evaluations.is_empty() {
            filter.series_id = None;
            evaluations = self.storage.evaluations(&filter).await?;
        }
        Ok(evidence(&evaluations))
    }

    async fn windows(
        &self,
        use_case: &UseCase,
        span: TimeSpan,
    ) -> Result<Option<TrackRecord>, AuditorError> {
        if use_case.trigger.is_none() {
            return Ok(None);
        }
        let outcomes = self.storage.settled_windows(&use_case.id, span).await?;
        let settled: Vec<_> = outcomes.iter().map(|outcome| outcome.settled).collect();
        Ok(Some(track_record(&settled)))
    }
}

/// A track record in sentences for people.
pub(crate) fn summary(standing: &Standing) -> Vec<String> {
    let gate = &standing.gate;
    let (verdict, days) = (gate.verdict, standing.window_days);
    let mut sentences = vec![if gate.reasons.is_empty() {
        format!("Of the last {days} days the gate says {verdict}.")
    } else {
        let reasons = gate.reasons.join("; ");
        format!("Of the last {days} days the gate says {verdict}: {reasons}.")
    }];
    let hours = &standing.hours;
    if hours.hours > 0 {
        sentences.push(format!(
            "Of {} settled hours the 80% intervals held {:.0}% and the 95% intervals {:.0}%; \
             pinball loss {:.3} against {:.3} of seasonal naive.",
            hours.hours,
            hours.coverage_80 * 100.0,
            hours.coverage_95 * 100.0,
            hours.pinball,
            hours.naive_pinball
        ));
    }
    if let Some(record) = standing.windows.filter(|record| record.windows > 0) {
        sentences.extend(summary_of_windows(&record));
    }
    sentences
}

fn summary_of_windows(record: &TrackRecord) -> Vec<String> {
    let Warnings {
        hits,
        misses,
        false_alarms,
    } = record.warnings;
    let lead = record.lead_hours.map_or_else(String::new, |hours| {
        format!(" Warnings that came true came {hours:.0} hours ahead, on average.")
    });
    let mut sentences = vec![format!(
        "Of {} windows that are over {} exceeded their capacity. Warned of: {}, of which {hits} came \
         true and {false_alarms} did not; missed: {misses}.{lead}",
        record.windows,
        hits + misses,
        hits + false_alarms,
    )];
    if record.baseline_windows > 0 {
        let baseline = record.baseline;
        sentences.push(format!(
            "The rule rolling_2sd, over {} of them: {} came true, {} did not, {} missed.",
            record.baseline_windows, baseline.hits, baseline.false_alarms, baseline.misses
        ));
    }
    let verdict = if record.brier < record.base_rate_brier {
        "better than"
    } else {
        "no better than"
    };
    sentences.push(format!(
        "The probabilities are {verdict} the base rate: Brier score {:.3} against {:.3}.",
        record.brier, record.base_rate_brier
    ));
    sentences
}

fn window_evidence(record: &TrackRecord) -> WindowEvidence {
    WindowEvidence {
        settled_days: record.settled_days,
        hits: record.warnings.hits,
        misses: record.warnings.misses,
        false_alarms: record.warnings.false_alarms,
        brier: record.brier,
        base_rate_brier: record.base_rate_brier,
    }
}

/// The windows of a forecast beside the counts. One with an hour that has no count is left out.
pub(crate) fn outcomes(
    forecast: &IssuedForecast,
    judged: &[JudgedWindow],
    counts: &HourlyCounts,
) -> Vec<WindowOutcome> {
    let outcome = |window: &JudgedWindow| {
        let hours = iter::successors(Some(window.span.start), |hour| Some(*hour + HOUR));
        let hours = hours.take(window.span.hours());
        let loads: Option<Vec<f64>> = hours.map(|hour| counts.at(hour)).collect();
        let load: f64 = loads?.iter().sum();
        Some(WindowOutcome {
            settled: SettledWindow {
                issued_at: forecast.issued_at,
                start: window.span.start,
                probability: window.probability,
                was_raised: window.is_raised,
                baseline_raised: window.baseline_raised,
                has_exceeded: load > window.capacity,
            },
            end: window.span.end,
            capacity: window.capacity,
            load,
        })
    };
    judged.iter().filter_map(outcome).collect()
}
