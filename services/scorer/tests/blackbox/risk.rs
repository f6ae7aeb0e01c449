//! Risk windows of use cases with a trigger.

use foretide_api::scoring::v1::{ListJudgedWindowsRequest, ListRiskWindowsRequest, RiskWindow};
use foretide_api::span_message;
use foretide_api::types::v1::CapacityKind;
use foretide_domain::{RunId, TimeSpan};

use crate::fakes::FakeWorkspace;
use crate::world::{World, eventually, frame, now};

async fn windows(world: &World, request: ListRiskWindowsRequest) -> Vec<RiskWindow> {
    world
        .client()
        .list_risk_windows(request)
        .await
        .unwrap()
        .into_inner()
        .risk_windows
}

fn of_newest() -> ListRiskWindowsRequest {
    ListRiskWindowsRequest {
        use_case: "risk_period".to_owned(),
        ..ListRiskWindowsRequest::default()
    }
}

/// A last weekend ten times as busy as usual: it lifts the level, but is too short to lift the capacity
/// that is learned from ten weeks.
async fn world_with_a_surge() -> World {
    let world = World::new().await;
    surge_in(&world).await;
    world
}

pub(crate) async fn surge_in(world: &World) {
    world.is_ready("risk_period").await;
    world.feature_store_answers(|query| {
        let mut frame = frame(query, 1.0, 1.0);
        let values = &mut frame.series[0].values;
        let weekend = values.len() - 40;
        for value in &mut values[weekend..] {
            *value *= 10.0;
        }
        Ok(frame)
    });
}

#[tokio::test]
async fn a_surge_raises_windows_that_say_why() {
    let world = world_with_a_surge().await;
    let summary = world.score(RunId::new(), "risk_period").await.unwrap();
    let found = windows(&world, of_newest()).await;
    assert_eq!(found.len(), summary.risk_windows as usize);
    let acting: Vec<_> = found.iter().filter(|window| window.acts).collect();
    assert!(!acting.is_empty(), "{found:?}");
    for window in acting {
        assert_eq!(window.trigger, "weekday_conformal");
        assert_eq!(window.forecast_id, summary.forecast_id);
        assert!(window.probability >= 0.5 && window.probability <= 1.0);
        assert!(window.expected > 0.0 && window.capacity > 0.0);
        let sum: f64 = window
            .drivers
            .iter()
            .map(|driver| driver.contribution)
            .sum();
        assert!((sum - window.expected).abs() < 1e-6 * window.expected);
        let span = foretide_api::span("span", window.span).unwrap();
        assert!(
            span.start >= now() + chrono::TimeDelta::hours(24),
            "from 24 hours ahead"
        );
        assert!(span.end <= now() + chrono::TimeDelta::hours(72));
    }
    assert!(
        found
            .iter()
            .filter(|window| !window.acts)
            .all(|window| window.trigger == "rolling_2sd")
    );
}

#[tokio::test]
async fn f11_two_use_cases_never_say_different_things_of_the_same_incidents() {
    let world = world_with_a_surge().await;
    world.score(RunId::new(), "risk_period").await.unwrap();
    let watched = world.forecast("attack_volume", "attack_volume/total").await;
    let watching = world.forecast("risk_period", "risk_period/total").await;
    let (of, own) = (watched.series.unwrap(), watching.series.unwrap());
    assert_eq!(own.points.len(), 72);
    assert_eq!(own.points, of.points);
    assert_eq!(own.note, of.note);
    let (of, own) = (watched.forecast.unwrap(), watching.forecast.unwrap());
    assert_eq!(own.series_ids, ["risk_period/total"]);
    assert_eq!(own.issued_at, of.issued_at);
    assert_eq!(
        (own.model_name, own.model_version),
        (of.model_name, of.model_version)
    );
}

#[tokio::test]
async fn without_a_forecast_of_what_it_watches_a_use_case_says_what_to_score_first() {
    let world = world_with_a_surge().await;
    let alone = world.score_alone(crate::world::request(RunId::new(), "risk_period"));
    let status = alone.await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(
        status
            .message()
            .contains("score attack_volume in the same run"),
        "{status}"
    );
}

#[tokio::test]
async fn f11_every_window_is_kept_as_it_was_judged_raised_or_not() {
    let world = world_with_a_surge().await;
    let summary = world.score(RunId::new(), "risk_period").await.unwrap();
    let request = ListJudgedWindowsRequest {
        use_case: "risk_period".to_owned(),
        forecast_id: summary.forecast_id,
    };
    let judged = world.client().list_judged_windows(request).await;
    let judged = judged.unwrap().into_inner().windows;
    // from 24 to 72 hours ahead in windows of eight that begin at 0, 8 and 16 o'clock
    assert_eq!(judged.len(), 5, "{judged:#?}");
    let raised = windows(&world, of_newest()).await;
    for window in &judged {
        assert_eq!(window.capacity_kind(), CapacityKind::Usual);
        assert_eq!(window.raised, window.probability >= 0.5);
        assert!(window.baseline_raised.is_some());
        let span = foretide_api::span("span", window.span).unwrap();
        let covers = |period: &&RiskWindow| {
            let period = foretide_api::span("span", period.span).unwrap();
            period.start <= span.start && span.end <= period.end
        };
        let acting = raised.iter().filter(|period| period.acts);
        assert_eq!(window.raised, acting.clone().any(|period| covers(&period)));
    }
}

#[tokio::test]
async fn history_for_the_capacity_is_asked_for_but_none_from_before_the_workspace_was_known() {
    let world = world_with_a_surge().await;
    world.score(RunId::new(), "risk_period").await.unwrap();
    let asked = world.feature_store.asked.lock().unwrap().clone();
    let asked = asked.iter().find(|query| query.use_case == "risk_period");
    let asked = asked.unwrap().history_hours;
    assert_eq!(asked, 10 * 168 + 24, "trained on ten weeks until yesterday");
}

#[tokio::test]
async fn the_same_run_again_makes_no_second_window() {
    let world = world_with_a_surge().await;
    let run_id = RunId::new();
    world.score(run_id, "risk_period").await.unwrap();
    let first = windows(&world, of_newest()).await;
    world.score(run_id, "risk_period").await.unwrap();
    let touching = ListRiskWindowsRequest {
        span: span_message(TimeSpan {
            start: now(),
            end: now() + chrono::TimeDelta::days(9),
        }),
        ..of_newest()
    };
    assert_eq!(windows(&world, touching).await, first);
}

#[tokio::test]
async fn a_usual_week_raises_nothing_that_acts() {
    let world = World::new().await;
    world.is_ready("risk_period").await;
    world.score(RunId::new(), "risk_period").await.unwrap();
    let found = windows(&world, of_newest()).await;
    assert!(found.iter().all(|window| !window.acts), "{found:?}");
}

#[tokio::test]
async fn windows_are_found_by_forecast_and_by_span() {
    let world = world_with_a_surge().await;
    let summary = world.score(RunId::new(), "risk_period").await.unwrap();
    let all = windows(&world, of_newest()).await;
    let by_id = ListRiskWindowsRequest {
        forecast_id: summary.forecast_id,
        ..of_newest()
    };
    assert_eq!(windows(&world, by_id).await, all);
    let past = TimeSpan {
        start: now() - chrono::TimeDelta::days(2),
        end: now(),
    };
    let before = ListRiskWindowsRequest {
        span: span_message(past),
        ..of_newest()
    };
    assert!(windows(&world, before).await.is_empty());
    let one = ListRiskWindowsRequest {
        limit: 1,
        ..of_newest()
    };
    assert_eq!(windows(&world, one).await, all[..1]);
}

#[tokio::test]
async fn windows_are_in_the_workspace_too_and_the_same_again_after_a_refusal() {
    let (workspace, url) = FakeWorkspace::start().await;
    let world = World::writing_to(&url).await;
    surge_in(&world).await;
    workspace.refuses_with(Some(403));
    world.score(RunId::new(), "risk_period").await.unwrap();
    assert!(workspace.windows().is_empty());
    let kept = windows(&world, of_newest()).await;
    workspace.refuses_with(None);
    eventually("windows arrive in the background", || {
        workspace.windows().len() == kept.len()
    })
    .await;
    for row in workspace.windows() {
        let found = kept
            .iter()
            .find(|window| row["IdempotencyKey"] == window.risk_window_id)
            .unwrap();
        assert_eq!(row["Acts"], found.acts);
        assert_eq!(row["Rule"], found.trigger);
        assert_eq!(row["Scope"], "risk_period/total");
        assert!(["Low", "Medium", "High"].contains(&row["Severity"].as_str().unwrap()));
    }
}
