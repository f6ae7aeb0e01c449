//! Forecasts and risk windows.

use foretide_api::scoring::v1 as scoring;
use foretide_api::types::v1 as types;
use foretide_domain::TimeSpan;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, FORECAST_ID, Fakes, HOSTILE, RUN_ID, at, hours};

#[async_trait]
impl scoring::scoring_service_server::ScoringService for Fakes {
    type ScoreStream = BoxStream<scoring::ScoreResponse>;

    async fn get_forecast(
        &self,
        request: Request<scoring::GetForecastRequest>,
    ) -> Answer<scoring::GetForecastResponse> {
        let asked = self.take(request)?;
        self.story().forecast_requests.push(asked.clone());
        if self.story().empty || asked.series_id.ends_with("=Unknown") {
            return Err(Status::not_found("there is no forecast"));
        }
        let point = |hour: i64| scoring::ForecastPoint {
            time: at(hour),
            mean: 5.0,
            quantiles: Some(types::Quantiles {
                q025: 1.0,
                q100: 2.0,
                q500: 4.0 + (hour % 24) as f64,
                q900: 40.0,
                q975: 60.0,
            }),
            drivers: vec![types::Driver {
                name: HOSTILE.to_owned(),
                contribution: 2.5,
            }],
        };
        let series = scoring::SeriesForecast {
            series_id: asked.series_id,
            model_kind: "prophet_additive".to_owned(),
            note: HOSTILE.to_owned(),
            points: (0..72).map(point).collect(),
        };
        Ok(Response::new(scoring::GetForecastResponse {
            forecast: Some(forecast()),
            series: Some(series),
        }))
    }

    async fn list_forecasts(
        &self,
        request: Request<scoring::ListForecastsRequest>,
    ) -> Answer<scoring::ListForecastsResponse> {
        self.take(request)?;
        Ok(Response::new(scoring::ListForecastsResponse {
            forecasts: vec![forecast()],
        }))
    }

    async fn list_judged_windows(
        &self,
        _: Request<scoring::ListJudgedWindowsRequest>,
    ) -> Answer<scoring::ListJudgedWindowsResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn list_risk_windows(
        &self,
        request: Request<scoring::ListRiskWindowsRequest>,
    ) -> Answer<scoring::ListRiskWindowsResponse> {
        self.take(request)?;
        let window = |start: i64, trigger: &str, acts| scoring::RiskWindow {
            risk_window_id: String::new(),
            forecast_id: FORECAST_ID.to_owned(),
            run_id: RUN_ID.to_owned(),
            use_case: "risk_period".to_owned(),
            series_id: "risk_period/total".to_owned(),
            span: foretide_api::span_message(TimeSpan {
                start: hours(start),
                end: hours(start + 8),
            }),
            probability: 0.82,
            expected: 71.4,
            capacity: 48.0,
            capacity_kind: types::CapacityKind::Usual.into(),
            trigger: trigger.to_owned(),
            acts,
            drivers: vec![types::Driver {
                name: HOSTILE.to_owned(),
                contribution: 41.0,
            }],
            issued_at: at(-1),
            validity: "valid".to_owned(),
        };
        let windows = vec![
            window(-40, "weekday_conformal", true),
            window(6, "rolling_2sd", false),
            window(24, "weekday_conformal", true),
        ];
        let risk_windows = if self.story().empty { vec![] } else { windows };
        Ok(Response::new(scoring::ListRiskWindowsResponse {
            risk_windows,
        }))
    }

    async fn score(&self, _: Request<scoring::ScoreRequest>) -> Answer<Self::ScoreStream> {
        Err(Status::unimplemented("not in this story"))
    }
}

fn forecast() -> scoring::Forecast {
    scoring::Forecast {
        forecast_id: FORECAST_ID.to_owned(),
        run_id: RUN_ID.to_owned(),
        use_case: "attack_volume".to_owned(),
        issued_at: at(-1),
        start: at(0),
        horizon_hours: 72,
        model_name: "attack_volume".to_owned(),
        model_version: 3,
        completeness: 0.98,
        validity: "valid".to_owned(),
        valid_until: at(24),
        series_ids: [
            "attack_volume/total",
            "attack_volume/severity=High",
            "attack_volume/product=<b>%26",
        ]
        .map(ToOwned::to_owned)
        .to_vec(),
    }
}
