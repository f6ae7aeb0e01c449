//! Forecasts beside what happened.

use chrono::TimeDelta;
use foretide_api::governance::v1 as wire;
use foretide_api::timestamp;
use foretide_api::types::v1::Phase;
use foretide_domain::{Role, RunId};
use tonic::Code;

use crate::soc::{Client, Soc, TOTAL, monday};

const WELL_MADE: [f64; 5] = [6.0, 8.0, 10.0, 12.0, 14.0];
const FAR_OFF: [f64; 5] = [60.0, 80.0, 100.0, 120.0, 140.0];

async fn list(mut client: Client, series_id: &str) -> Vec<wire::Evaluation> {
    let request = wire::ListEvaluationsRequest {
        use_case: "attack_volume".to_owned(),
        series_id: series_id.to_owned(),
        limit: 0,
    };
    client
        .list_evaluations(request)
        .await
        .unwrap()
        .into_inner()
        .evaluations
}

#[tokio::test]
async fn a_settled_forecast_is_evaluated_once_and_an_unsettled_one_waits() {
    let soc = Soc::start().await;
    let other = "attack_volume/severity=High";
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    soc.world.counts(other, 3.0, monday() - TimeDelta::days(40));
    let settled = soc
        .world
        .forecast("attack_volume", monday(), &[TOTAL, other], WELL_MADE);
    let tuesday = monday() + TimeDelta::days(1);
    soc.world
        .forecast("attack_volume", tuesday, &[TOTAL], WELL_MADE);
    let of_another = ["risk_period/total"];
    soc.world
        .forecast("risk_period", monday(), &of_another, WELL_MADE);
    // One hour of the second forecast may still change.
    soc.world.settle(tuesday + TimeDelta::hours(22));

    let as_of = tuesday + TimeDelta::hours(24);
    let summary = soc.evaluate(as_of).await;
    assert_eq!(
        (summary.forecasts_evaluated, summary.forecasts_waiting),
        (1, 1)
    );
    assert_eq!(summary.evaluations.len(), 2);
    assert_eq!(summary.phase, i32::from(Phase::Shadow));

    let again = soc.evaluate(as_of).await;
    assert_eq!((again.forecasts_evaluated, again.forecasts_waiting), (0, 1));

    let stored = list(soc.service(), TOTAL).await;
    let [evaluation] = stored.as_slice() else {
        panic!("{stored:?}")
    };
    assert_eq!(evaluation.forecast_id, settled.to_string());
    assert_eq!((evaluation.hours, evaluation.model_version), (24, 3));
    assert!((evaluation.mae - 1.0).abs() < 1e-9);
    assert!((evaluation.coverage_80 - 1.0).abs() < 1e-9);
    // Counts that never change are what seasonal naive is best at.
    assert!(evaluation.pinball > 0.0 && evaluation.naive_pinball.abs() < 1e-9);
    assert_eq!(list(soc.service(), "").await.len(), 2);

    soc.world.settle(tuesday + TimeDelta::hours(23));
    let later = soc.evaluate(as_of).await;
    assert_eq!((later.forecasts_evaluated, later.forecasts_waiting), (1, 0));
}

#[tokio::test]
async fn two_evaluations_at_once_store_one() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    for day in 0..5 {
        let start = monday() + TimeDelta::days(day);
        soc.world
            .forecast("attack_volume", start, &[TOTAL], WELL_MADE);
    }
    let as_of = monday() + TimeDelta::days(6);
    soc.world.settle(as_of);
    let (one, other) = tokio::join!(soc.evaluate(as_of), soc.evaluate(as_of));
    assert_eq!(one.forecasts_evaluated + other.forecasts_evaluated, 5);
    assert_eq!(list(soc.service(), TOTAL).await.len(), 5);
}

#[tokio::test]
async fn more_forecasts_than_one_page_are_all_found() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(80));
    for quarter_hour in 0..1_100 {
        let start = monday() + TimeDelta::minutes(quarter_hour * 15);
        soc.world
            .forecast("attack_volume", start, &[TOTAL], WELL_MADE);
    }
    let as_of = monday() + TimeDelta::days(1);
    soc.world.settle(monday() - TimeDelta::hours(2));
    let summary = soc.evaluate(as_of).await;
    assert_eq!(summary.forecasts_waiting, 97, "those issued by then");
    let summary = soc.evaluate(monday() + TimeDelta::days(12)).await;
    assert_eq!(summary.forecasts_waiting, 1_100);
}

#[tokio::test]
async fn without_history_there_is_no_comparison_with_seasonal_naive() {
    let soc = Soc::start().await;
    soc.world.counts(TOTAL, 11.0, monday() - TimeDelta::days(2));
    soc.world.forecast(
        "attack_volume",
        monday(),
        &[TOTAL, "attack_volume/product=Gone"],
        WELL_MADE,
    );
    soc.world.settle(monday() + TimeDelta::days(2));
    let summary = soc.evaluate(monday() + TimeDelta::days(2)).await;
    assert_eq!(
        summary.evaluations.len(),
        1,
        "a series without counts is left out"
    );
    assert!(summary.evaluations[0].naive_pinball.is_nan());
    assert!(list(soc.service(), TOTAL).await[0].naive_pinball.is_nan());
}

#[tokio::test]
async fn a_failing_gate_lowers_the_phase_within_one_evaluation() {
    let mut config = foretide_auditor::config::Config::default();
    config.gate.settled_days = 3;
    let assisted = foretide_domain::Phase::Assisted;
    config
        .initial_phases
        .insert("attack_volume".parse().unwrap(), assisted);
    let soc = Soc::start_with(config).await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    let as_of = |day| monday() + TimeDelta::days(day);
    for day in 0..3 {
        soc.world
            .forecast("attack_volume", as_of(day), &[TOTAL], FAR_OFF);
    }
    soc.world.settle(as_of(2));
    let inconclusive = soc.evaluate(as_of(2)).await;
    assert_eq!(inconclusive.forecasts_evaluated, 2);
    assert_eq!(
        inconclusive.phase,
        i32::from(Phase::Assisted),
        "two days say nothing yet"
    );

    soc.world.settle(as_of(3));
    soc.context.clock.advance_to(as_of(3));
    let failed = soc.evaluate(as_of(3)).await;
    assert_eq!(failed.phase, i32::from(Phase::Shadow));
    let state = soc.phase().await;
    assert_eq!(
        (state.phase(), state.changed_by.as_str()),
        (Phase::Shadow, "service:auditor")
    );
    assert!(
        state.reason.contains("coverage") || state.reason.contains("intervals cover"),
        "{}",
        state.reason
    );
    let actions = soc.actions_in_audit_log().await;
    let expected = [
        "phase.begun",
        "phase.begun",
        "gate.judged",
        "gate.judged",
        "phase.lowered",
    ];
    assert_eq!(actions, expected);

    let refused = soc
        .set_phase(soc.approver(), Phase::Assisted, "I trust it")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("fail"), "{}", refused.message());
}

#[tokio::test]
async fn a_scorer_that_is_away_leaves_everything_for_the_next_time() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    soc.world
        .forecast("attack_volume", monday(), &[TOTAL], WELL_MADE);
    let as_of = monday() + TimeDelta::days(2);
    soc.world.settle(as_of);
    soc.world.scorer_is_down(true);
    assert_eq!(
        soc.try_evaluate(as_of).await.unwrap_err().code(),
        Code::Unavailable
    );
    soc.world.scorer_is_down(false);
    assert_eq!(soc.evaluate(as_of).await.forecasts_evaluated, 1);
}

#[tokio::test]
async fn a_forecast_that_cannot_be_is_an_internal_error() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    let crossing = [9.0, 8.0, 7.0, 6.0, 5.0];
    soc.world
        .forecast("attack_volume", monday(), &[TOTAL], crossing);
    let as_of = monday() + TimeDelta::days(2);
    soc.world.settle(as_of);
    assert_eq!(
        soc.try_evaluate(as_of).await.unwrap_err().code(),
        Code::Internal
    );
    assert!(list(soc.service(), "").await.is_empty());
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_by_field() {
    let soc = Soc::start().await;
    let good = wire::EvaluateRequest {
        run_id: RunId::new().to_string(),
        use_case: "attack_volume".to_owned(),
        as_of: timestamp(monday()),
    };
    let cases = [
        (
            wire::EvaluateRequest {
                run_id: "../etc".to_owned(),
                ..good.clone()
            },
            "run_id",
        ),
        (
            wire::EvaluateRequest {
                use_case: "Robert'); DROP".to_owned(),
                ..good.clone()
            },
            "use_case",
        ),
        (
            wire::EvaluateRequest {
                as_of: None,
                ..good.clone()
            },
            "as_of",
        ),
    ];
    for (request, field) in cases {
        let refused = soc.service().evaluate(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    let unknown = wire::EvaluateRequest {
        use_case: "geo_risk".to_owned(),
        ..good.clone()
    };
    let refused = soc.service().evaluate(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let mut viewer = soc.person("eve", &[Role::Viewer]);
    assert_eq!(
        viewer.evaluate(good).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}
