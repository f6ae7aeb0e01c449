//! Warnings of high-risk windows beside what happened, and the gate that judges them.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::governance::v1 as wire;
use foretide_api::scoring::v1::JudgedWindow;
use foretide_api::span_message;
use foretide_api::types::v1::{CapacityKind, Phase};
use foretide_auditor::config::Config;
use foretide_domain::TimeSpan;
use tonic::Code;

use crate::soc::{Soc, monday};

const TOTAL: &str = "risk_period/total";
/// What arrives in eight hours.
const LOAD: f64 = 8.0 * 11.0;

fn window(start: DateTime<Utc>, hour: i64, capacity: f64, probability: f64) -> JudgedWindow {
    let start = start + TimeDelta::hours(hour);
    JudgedWindow {
        span: span_message(TimeSpan {
            start,
            end: start + TimeDelta::hours(8),
        }),
        probability,
        expected: capacity,
        capacity,
        capacity_kind: CapacityKind::Declared.into(),
        raised: probability >= 0.5,
        baseline_raised: Some(hour == 16),
    }
}

fn assisted() -> Config {
    let mut config = Config::default();
    let phase = foretide_domain::Phase::Assisted;
    let use_case = "risk_period".parse().unwrap();
    config.initial_phases.insert(use_case, phase);
    config
}

/// A forecast a day: the window at 0 o'clock is exceeded, the two after it are not.
async fn days(soc: &Soc, count: i64, probabilities: [f64; 3]) -> wire::EvaluateSummary {
    let from = monday() - TimeDelta::days(40);
    soc.world.counts(TOTAL, LOAD / 8.0, from);
    for day in 0..count {
        let start = monday() + TimeDelta::days(day);
        let quantiles = [8.0, 9.0, 11.0, 12.0, 13.0];
        let forecast = soc
            .world
            .forecast("risk_period", start, &[TOTAL], quantiles);
        let capacities = [LOAD - 1.0, LOAD, LOAD + 30.0];
        let windows = capacities.iter().zip(probabilities).zip([0, 8, 16]);
        let windows = windows
            .map(|((capacity, probability), hour)| window(start, hour, *capacity, probability));
        soc.world.judged(forecast, windows.collect());
    }
    let as_of = monday() + TimeDelta::days(count);
    soc.context.clock.advance_to(as_of);
    soc.world.settle(as_of);
    soc.try_evaluate_of("risk_period", as_of).await.unwrap()
}

async fn record(soc: &Soc, use_case: &str) -> wire::TrackRecord {
    let request = wire::GetTrackRecordRequest {
        use_case: use_case.to_owned(),
        ..Default::default()
    };
    let answer = soc.service().get_track_record(request).await.unwrap();
    assert!(answer.get_ref().windows.is_empty(), "only when asked for");
    answer.into_inner().track_record.unwrap()
}

#[tokio::test]
async fn f11_warnings_that_came_true_are_counted_beside_the_baseline_and_the_base_rate() {
    let soc = Soc::start().await;
    days(&soc, 11, [0.8, 0.1, 0.1]).await;
    let young = record(&soc, "risk_period").await;
    assert_eq!(young.verdict(), wire::Verdict::Inconclusive);
    assert_eq!(young.reasons, ["11 of 14 settled days"]);
    assert_eq!((young.settled_days, young.settled_days_needed), (11, 14));

    let soc = Soc::start().await;
    days(&soc, 16, [0.8, 0.1, 0.1]).await;
    let record = record(&soc, "risk_period").await;
    assert_eq!(record.verdict(), wire::Verdict::Pass, "{record:?}");
    let windows = record.windows.unwrap();
    assert_eq!((windows.windows, windows.judgements), (48, 48));
    let warnings = |hits, misses, false_alarms| wire::Warnings {
        hits,
        misses,
        false_alarms,
    };
    assert_eq!(windows.warnings, Some(warnings(16, 0, 0)));
    assert_eq!(windows.baseline, Some(warnings(0, 16, 16)));
    assert_eq!(windows.baseline_windows, 48);
    assert!((windows.brier - 0.02).abs() < 1e-9, "{windows:?}");
    assert!((windows.base_rate_brier - 2.0 / 9.0).abs() < 1e-9);
    assert_eq!(
        windows.lead_hours,
        Some(0.0),
        "they begin with the forecast"
    );
    assert_eq!(record.hours.unwrap().hours, 16 * 24);
    let sentences = [
        "Of the last 56 days the gate says pass.",
        "Of 384 settled hours the 80% intervals held 100% and the 95% intervals 100%; pinball loss 0.085 against 0.000 of seasonal naive.",
        "Of 48 windows that are over 16 exceeded their capacity. Warned of: 16, of which 16 came true and 0 did not; missed: 0. Warnings that came true came 0 hours ahead, on average.",
        "The rule rolling_2sd, over 48 of them: 0 came true, 16 did not, 16 missed.",
        "The probabilities are better than the base rate: Brier score 0.020 against 0.222.",
    ];
    assert_eq!(record.summary, sentences);
}

#[tokio::test]
async fn f11_false_alarms_lower_the_phase_however_well_hours_are_covered() {
    let soc = Soc::start_with(assisted()).await;
    let summary = days(&soc, 16, [0.6, 0.9, 0.9]).await;
    let record = record(&soc, "risk_period").await;
    let hours = record.hours.unwrap();
    assert!((hours.coverage_80 - 1.0).abs() < 1e-9);
    assert_eq!(record.verdict(), wire::Verdict::Fail);
    assert!(
        record.reasons[0].contains("16 of 48, at least 0.40"),
        "{:?}",
        record.reasons
    );
    assert!(record.reasons[1].contains("worse than the base rate"));
    assert_eq!(summary.phase, i32::from(Phase::Shadow), "lowered");
    assert!(soc.verify().await.intact);
}

#[tokio::test]
async fn f11_probabilities_no_better_than_the_base_rate_are_said_to_be_so() {
    let soc = Soc::start_with(assisted()).await;
    let summary = days(&soc, 16, [0.5, 0.49, 0.49]).await;
    let record = record(&soc, "risk_period").await;
    assert_eq!(record.verdict(), wire::Verdict::Inconclusive);
    assert!(record.reasons[0].contains("no better than the base rate"));
    assert_eq!(summary.phase, i32::from(Phase::Assisted), "left as it is");
}

#[tokio::test]
async fn f11_every_settled_window_is_told_with_its_load_when_asked_for() {
    let soc = Soc::start().await;
    days(&soc, 2, [0.8, 0.1, 0.1]).await;
    let request = wire::GetTrackRecordRequest {
        use_case: "risk_period".to_owned(),
        with_windows: true,
    };
    let answer = soc.service().get_track_record(request).await.unwrap();
    let windows = answer.into_inner().windows;
    let outcomes: Vec<_> = windows
        .iter()
        .map(|window| (window.raised, window.exceeded, window.baseline_raised))
        .collect();
    let day = [
        (true, true, Some(false)),
        (false, false, Some(false)),
        (false, false, Some(true)),
    ];
    assert_eq!(outcomes, [day, day].concat());
    for window in &windows {
        assert!((window.load - LOAD).abs() < 1e-9, "{window:?}");
        assert_eq!(window.exceeded, window.load > window.capacity);
    }
    assert_eq!(
        windows[5].span,
        span_message(TimeSpan {
            start: monday() + TimeDelta::hours(40),
            end: monday() + TimeDelta::hours(48),
        })
    );
    assert_eq!(
        windows[5].issued_at,
        Some((monday() + TimeDelta::days(1)).into())
    );
}

#[tokio::test]
async fn a_use_case_without_a_trigger_has_no_windows_and_an_unknown_one_no_record() {
    let soc = Soc::start().await;
    let volume = record(&soc, "attack_volume").await;
    assert_eq!(volume.windows, None);
    assert_eq!(volume.reasons, ["0 of 14 settled days"]);
    let request = wire::GetTrackRecordRequest {
        use_case: "weather".to_owned(),
        ..Default::default()
    };
    let status = soc.service().get_track_record(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
