//! Rows of `PredictiveAlerting_CL` and `Predicted_Attack_Surge_CL`.

use foretide_domain::CapacityKind;
use foretide_logs_ingestion::azure_time;
use foretide_policy::severity_of_period;
use serde_json::{Map, Value, json};

use crate::model::{Forecast, RiskWindow, SeriesForecast, row_key};

/// What a tombstone repeats of a row, so that it is found by it.
pub(crate) const KEPT_OF_ROW: [&str; 5] =
    ["RunId", "ForecastId", "UseCase", "SeriesId", "TargetTime"];
/// The same of a predicted window's row.
pub(crate) const KEPT_OF_WINDOW: [&str; 8] = [
    "RunId",
    "ForecastId",
    "WindowId",
    "UseCase",
    "SeriesId",
    "Scope",
    "WindowStart",
    "WindowEnd",
];

/// One row an hour of the series.
pub(crate) fn render(forecast: &Forecast, series: &SeriesForecast) -> Vec<Value> {
    let validity = forecast.validity_of(series).name();
    (0..series.points.hours())
        .map(|ahead| {
            let hour = forecast.hour(ahead);
            let [q025, q100, q500, q900, q975] = series.points.quantiles[ahead].values();
            json!({
                "TimeGenerated": azure_time(forecast.issued_at),
                "IssuedAt": azure_time(forecast.issued_at),
                "RunId": forecast.run_id.to_string(),
                "ForecastId": forecast.id.to_string(),
                "UseCase": forecast.use_case.as_str(),
                "SeriesId": series.series_id.to_string(),
                "TargetTime": azure_time(hour),
                "Predicted": series.points.mean[ahead],
                "Q025": q025,
                "Q10": q100,
                "Q50": q500,
                "Q90": q900,
                "Q975": q975,
                "Horizon": ahead + 1,
                "ModelName": forecast.model_name,
                "ModelVersion": forecast.model_version.to_string(),
                "ModelKind": series.model_kind,
                "Completeness": forecast.completeness,
                "Validity": validity,
                "ValidUntil": azure_time(forecast.valid_until),
                "Drivers": drivers(forecast, series, ahead),
                "IdempotencyKey": row_key(forecast.id, &series.series_id, hour).to_string(),
            })
        })
        .collect()
}

/// The parts of the mean by name; those without effect are left out, the sum stays.
fn drivers(forecast: &Forecast, series: &SeriesForecast, ahead: usize) -> Map<String, Value> {
    let values = series.points.drivers_of(ahead);
    let named = forecast.drivers.iter().zip(values);
    named
        .filter(|(_, value)| **value != 0.0)
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect()
}

/// The row of a predicted window.
pub(crate) fn render_window(window: &RiskWindow) -> Value {
    let drivers: Map<String, Value> = window
        .drivers
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "TimeGenerated": azure_time(window.issued_at),
        "IssuedAt": azure_time(window.issued_at),
        "RunId": window.run_id.to_string(),
        "ForecastId": window.forecast_id.to_string(),
        "WindowId": window.id.to_string(),
        "UseCase": window.use_case.as_str(),
        "SeriesId": window.series_id.to_string(),
        // one open incident a scope
        "Scope": window.series_id.to_string(),
        "WindowStart": azure_time(window.span.start),
        "WindowEnd": azure_time(window.span.end),
        "Probability": window.probability,
        "Expected": window.expected,
        "Capacity": window.capacity,
        "CapacityKind": window.capacity_kind.map(CapacityKind::name),
        "Severity": severity_of_period(window.probability).name(),
        "Rule": window.rule,
        "Acts": window.acts,
        "Validity": window.validity.name(),
        "Drivers": drivers,
        "IdempotencyKey": window.id.to_string(),
    })
}
