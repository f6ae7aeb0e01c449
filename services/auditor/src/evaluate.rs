//! The audit step: forecasts beside settled counts, the gate, a phase lowered where it fails.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_audit_chain::{CanonicalJson, Event};
use foretide_domain::{HOUR, Phase, RunId, SeriesId, TimeSpan, UseCaseId};
use foretide_outbox::Counts;
use foretide_policy::{Evidence, GateReport, PhaseActor, Verdict, change_phase};
use serde_json::json;
use uuid::Uuid;

use crate::delivery;
use crate::error::AuditorError;
use crate::evaluation::{HISTORY_HOURS, score};
use crate::model::{EvaluateOutcome, Evaluation, IssuedForecast, PhaseState};
use crate::service::{AUDITOR, Auditor, subject_of};
use crate::sources::KnownCounts;
use crate::storage::EvaluatedForecast;
use crate::track_record::outcomes;

/// Told about each stage: what is done, units finished, units in all.
pub(crate) type Progress<'p> = &'p (dyn Fn(&str, usize, usize) + Send + Sync);

/// What is evaluated, and by which run.
#[derive(Debug, Clone)]
pub(crate) struct EvaluateRequest {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) as_of: DateTime<Utc>,
}

impl Auditor {
    /// Evaluates every forecast whose hours are all settled and that is not evaluated yet.
    pub(crate) async fn evaluate(
        &self,
        request: &EvaluateRequest,
        progress: Progress<'_>,
    ) -> Result<EvaluateOutcome, AuditorError> {
        self.declared(&request.use_case)?;
        let phase = self.phase(&request.use_case).await?;
        progress("listing forecasts", 0, 0);
        let open = self.not_evaluated(request).await?;
        let (due, mut waiting): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|forecast| forecast.span.end <= request.as_of);
        let mut evaluated = 0;
        let mut evaluations = Vec::new();
        if let Some(counts) = self.counts(request, &due).await? {
            let (settled, unsettled): (Vec<_>, Vec<_>) = due
                .into_iter()
                .partition(|forecast| is_settled(forecast, &counts));
            waiting.extend(unsettled);
            let total = settled.len();
            for (done, forecast) in settled.iter().enumerate() {
                progress("evaluating forecasts", done, total);
                let found = self
                    .evaluate_one(request, forecast, &counts, phase.phase)
                    .await?;
                if let Some(found) = found {
                    self.metrics.forecast_evaluated(request.use_case.as_str());
                    evaluated += 1;
                    evaluations.extend(found);
                }
            }
            progress("evaluating forecasts", total, total);
        }
        let gate = self.gate(&request.use_case, request.as_of).await?;
        let phase = self.apply_gate(request, phase, &gate, evaluated).await?;
        let rows = self.write_back(request.run_id, progress).await?;
        self.checkpoints.follow().await;
        Ok(EvaluateOutcome {
            forecasts_evaluated: evaluated,
            forecasts_waiting: u32::try_from(waiting.len()).unwrap_or(u32::MAX),
            evaluations,
            phase: phase.phase,
            rows_delivered: rows.delivered,
            rows_pending: rows.waiting,
        })
    }

    async fn not_evaluated(
        &self,
        request: &EvaluateRequest,
    ) -> Result<Vec<IssuedForecast>, AuditorError> {
        let lookback = TimeDelta::days(i64::from(self.config.lookback_days));
        let span = TimeSpan {
            start: request.as_of - lookback,
            // A forecast issued at this very moment is one of them.
            end: request.as_of + TimeDelta::milliseconds(1),
        };
        let mut issued = self.forecasts.issued(&request.use_case, span).await?;
        issued.sort_by_key(|forecast| (forecast.span.start, forecast.id));
        let ids: Vec<_> = issued.iter().map(|forecast| forecast.id).collect();
        let evaluated: BTreeSet<_> = self.storage.evaluated(&ids).await?.into_iter().collect();
        issued.retain(|forecast| !evaluated.contains(&forecast.id));
        Ok(issued)
    }

    /// Counts for all the forecasts and for the history that seasonal naive needs.
    async fn counts(
        &self,
        request: &EvaluateRequest,
        forecasts: &[IssuedForecast],
    ) -> Result<Option<KnownCounts>, AuditorError> {
        let start = forecasts.iter().map(|forecast| forecast.span.start).min();
        let end = forecasts.iter().map(|forecast| forecast.span.end).max();
        let (Some(start), Some(end)) = (start, end) else {
            return Ok(None);
        };
        let span = TimeSpan {
            start: start - TimeDelta::hours(HISTORY_HOURS),
            end,
        };
        let series: BTreeSet<_> = forecasts
            .iter()
            .flat_map(|forecast| forecast.series.iter().cloned())
            .collect();
        let series: Vec<SeriesId> = series.into_iter().collect();
        let counts = self
            .actuals
            .counts(&request.use_case, &series, span, request.as_of)
            .await?;
        Ok(Some(counts))
    }

    /// Evaluates one forecast. Nothing when another call did so meanwhile.
    async fn evaluate_one(
        &self,
        request: &EvaluateRequest,
        forecast: &IssuedForecast,
        counts: &KnownCounts,
        phase: Phase,
    ) -> Result<Option<Vec<Evaluation>>, AuditorError> {
        let judged = match self.declared(&request.use_case)?.trigger {
            Some(_) => {
                self.forecasts
                    .judged(&request.use_case, forecast.id)
                    .await?
            }
            None => vec![],
        };
        let (mut evaluations, mut windows) = (Vec::new(), Vec::new());
        for series_id in &forecast.series {
            let Some(actual) = counts.series.get(series_id) else {
                tracing::warn!(series = %series_id, forecast = %forecast.id, "no counts for a series");
                continue;
            };
            let hours = self
                .forecasts
                .hours(&request.use_case, forecast.id, series_id)
                .await?;
            let Some(score) = score(&hours, forecast.span, actual) else {
                tracing::warn!(series = %series_id, forecast = %forecast.id, "no hour to compare");
                continue;
            };
            if series_id.is_total() {
                windows = outcomes(forecast, &judged, actual);
            }
            evaluations.push(Evaluation {
                id: evaluation_id(forecast, series_id),
                run_id: request.run_id,
                forecast_id: forecast.id,
                use_case: request.use_case.clone(),
                series_id: series_id.clone(),
                evaluated_at: request.as_of,
                span: forecast.span,
                score,
                model_name: forecast.model_name.clone(),
                model_version: forecast.model_version,
            });
        }
        let rows = if self.delivery.is_some() {
            evaluations
                .iter()
                .map(|one| delivery::row(one, phase))
                .collect()
        } else {
            vec![]
        };
        let evaluated = EvaluatedForecast {
            forecast_id: forecast.id,
            use_case: request.use_case.clone(),
            run_id: request.run_id,
            evaluated_at: request.as_of,
            evaluations,
            windows,
            rows,
        };
        let stored = self.storage.store_evaluations(&evaluated).await?;
        Ok(stored.then_some(evaluated.evaluations))
    }

    /// Puts the verdict into the audit chain and lowers the phase when it is a fail.
    async fn apply_gate(
        &self,
        request: &EvaluateRequest,
        phase: PhaseState,
        gate: &GateReport,
        evaluated: u32,
    ) -> Result<PhaseState, AuditorError> {
        let use_case = &request.use_case;
        self.metrics.verdict(use_case.as_str(), gate);
        if evaluated > 0 {
            let details = json!({"forecasts_evaluated": evaluated, "gate": gate});
            let event = Event {
                event_id: Uuid::now_v7().to_string(),
                actor: AUDITOR.to_owned(),
                action: "gate.judged".to_owned(),
                subject: subject_of(use_case),
                run_id: Some(request.run_id.to_string()),
                details: CanonicalJson::of(&details),
            };
            self.append(event).await?;
        }
        if gate.verdict != Verdict::Fail || phase.phase == Phase::Shadow {
            return Ok(phase);
        }
        let reason = format!("the gate failed: {}", gate.reasons.join("; "));
        change_phase(
            phase.phase,
            Phase::Shadow,
            PhaseActor::Gate,
            &reason,
            gate.verdict,
        )?;
        let run_id = Some(request.run_id.to_string());
        let lowered = self
            .store_phase(&phase, Phase::Shadow, AUDITOR, &reason, run_id, gate)
            .await?;
        tracing::warn!(use_case = %use_case, reason, "phase lowered to shadow");
        self.metrics.demotion(use_case.as_str());
        Ok(lowered)
    }

    async fn write_back(
        &self,
        run_id: RunId,
        progress: Progress<'_>,
    ) -> Result<Counts, AuditorError> {
        let Some(delivery) = &self.delivery else {
            progress(
                "write-back is off: auditor.write_back is not configured",
                0,
                0,
            );
            return Ok(Counts::default());
        };
        progress("writing back to AI_Governance_CL", 0, 0);
        delivery.deliver_now().await?;
        Ok(self.storage.rows().counts(Some(run_id)).await?)
    }
}

fn is_settled(forecast: &IssuedForecast, counts: &KnownCounts) -> bool {
    let last_hour = forecast.span.end - HOUR;
    counts
        .settled_until
        .is_some_and(|settled| last_hour <= settled)
}

fn evaluation_id(forecast: &IssuedForecast, series: &SeriesId) -> Uuid {
    Uuid::new_v5(&forecast.id.as_uuid(), series.to_string().as_bytes())
}

/// Adds evaluations up, hours weighing equally. Where seasonal naive has no history, neither loss
/// counts: they are compared over the same hours.
pub(crate) fn evidence(evaluations: &[Evaluation]) -> Evidence {
    let mut hours = 0.0;
    let mut compared = 0.0;
    let mut sum = Evidence::default();
    let mut days = BTreeSet::new();
    for evaluation in evaluations {
        let score = &evaluation.score;
        let weight = f64::from(score.hours);
        days.insert(evaluation.span.start.date_naive());
        hours += weight;
        sum.hours += u64::from(score.hours);
        sum.coverage_80 += score.coverage_80 * weight;
        sum.coverage_95 += score.coverage_95 * weight;
        if let Some(naive) = score.naive_pinball {
            compared += weight;
            sum.pinball += score.pinball * weight;
            sum.naive_pinball += naive * weight;
        }
    }
    let mean = |sum: f64, weight: f64| if weight > 0.0 { sum / weight } else { 0.0 };
    Evidence {
        settled_days: u32::try_from(days.len()).unwrap_or(u32::MAX),
        hours: sum.hours,
        coverage_80: mean(sum.coverage_80, hours),
        coverage_95: mean(sum.coverage_95, hours),
        pinball: mean(sum.pinball, compared),
        naive_pinball: mean(sum.naive_pinball, compared),
    }
}
