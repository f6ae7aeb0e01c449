//! A forecast is complete, honest about its inputs, and made once a run.

use chrono::TimeDelta;
use foretide_api::scoring::v1::{GetForecastResponse, ScoreRequest};
use foretide_api::timestamp;
use foretide_domain::RunId;
use tonic::Code;

use crate::world::{World, frame, now, request};

#[tokio::test]
async fn every_point_has_ordered_quantiles_and_drivers_that_sum_to_its_mean() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let summary = world.score(run_id, "attack_volume").await.unwrap();
    assert_eq!((summary.series, summary.rows), (2, 144));
    assert_eq!(
        (summary.model_name.as_str(), summary.model_version),
        ("attack_volume", 7)
    );

    for series in ["attack_volume/total", "attack_volume/severity=High"] {
        let GetForecastResponse {
            forecast,
            series: read,
        } = world.forecast("attack_volume", series).await;
        let (forecast, read) = (forecast.unwrap(), read.unwrap());
        assert_eq!(forecast.run_id, run_id.to_string());
        assert_eq!(forecast.forecast_id, summary.forecast_id);
        assert_eq!(forecast.validity, "valid");
        assert_eq!(
            forecast.valid_until,
            timestamp(now() + TimeDelta::hours(26))
        );
        assert_eq!(
            forecast.series_ids,
            ["attack_volume/total", "attack_volume/severity=High"]
        );
        assert_eq!(read.points.len(), 72);
        assert_eq!(read.points[0].time, timestamp(now()));
        assert!(!read.model_kind.is_empty() && !read.note.is_empty());
        for point in &read.points {
            let q = point.quantiles.unwrap();
            let levels = [0.0, q.q025, q.q100, q.q500, q.q900, q.q975];
            assert!(levels.is_sorted(), "{levels:?}");
            let sum: f64 = point.drivers.iter().map(|driver| driver.contribution).sum();
            assert!(
                (sum - point.mean).abs() <= 1e-6 * point.mean.max(1.0),
                "{sum} {}",
                point.mean
            );
        }
    }
}

#[tokio::test]
async fn the_same_run_again_is_the_same_forecast() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let first = world.score(run_id, "attack_volume").await.unwrap();
    // Other inputs now: the run's forecast is already made and stays.
    world.feature_store_answers(|query| Ok(frame(query, 0.1, 9.0)));
    assert_eq!(world.score(run_id, "attack_volume").await.unwrap(), first);
    assert_eq!(world.feature_store.asked.lock().unwrap().len(), 1);

    let elsewhen = ScoreRequest {
        as_of: timestamp(now() - TimeDelta::hours(1)),
        ..request(run_id, "attack_volume")
    };
    let refused = world.score_request(elsewhen).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
    let farther = ScoreRequest {
        horizon_hours: 24,
        ..request(run_id, "attack_volume")
    };
    assert_eq!(
        world.score_request(farther).await.unwrap_err().code(),
        Code::AlreadyExists
    );

    let world = world.restart(None).await;
    assert_eq!(
        world.score(run_id, "attack_volume").await.unwrap(),
        first,
        "after a restart too"
    );
}

#[tokio::test]
async fn the_same_run_twice_at_once_is_one_forecast() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let (one, other) = tokio::join!(
        world.score(run_id, "attack_volume"),
        world.score(run_id, "attack_volume")
    );
    assert_eq!(one.unwrap(), other.unwrap());
}

#[tokio::test]
async fn incomplete_inputs_widen_the_intervals_and_are_said() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
    let full = world.forecast("attack_volume", "").await;
    world.has_features(0.5);
    world.score(RunId::new(), "attack_volume").await.unwrap();
    let half = world.forecast("attack_volume", "").await;
    assert_eq!(half.forecast.unwrap().validity, "degraded");
    for (full, half) in full
        .series
        .unwrap()
        .points
        .iter()
        .zip(half.series.unwrap().points)
    {
        let (full, half) = (full.quantiles.unwrap(), half.quantiles.unwrap());
        assert!((half.q500 - full.q500).abs() < 1e-9, "the middle stays");
        let upper = (half.q975 - half.q500) / (full.q975 - full.q500);
        assert!(
            (upper - 2.0).abs() < 1e-6,
            "twice as wide with half of the inputs: {upper}"
        );
        assert!(half.q025 <= full.q025 && half.q025 >= 0.0);
    }
}

#[tokio::test]
async fn fresh_history_moves_the_forecast_without_training() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
    let before = world.forecast("attack_volume", "").await.series.unwrap();
    world.feature_store_answers(|query| Ok(frame(query, 1.0, 2.0)));
    world.score(RunId::new(), "attack_volume").await.unwrap();
    let after = world.forecast("attack_volume", "").await.series.unwrap();
    let load = |series: &foretide_api::scoring::v1::SeriesForecast| -> f64 {
        series.points.iter().map(|point| point.mean).sum()
    };
    assert!(
        load(&after) > 1.3 * load(&before),
        "{} {}",
        load(&after),
        load(&before)
    );
}

#[tokio::test]
async fn a_series_that_is_newer_than_the_champion_is_left_out_until_the_next_training() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    world.feature_store_answers(|query| {
        let mut frame = frame(query, 1.0, 1.0);
        let mut new = frame.series[0].clone();
        new.series_id = "attack_volume/severity=Brand%20new".to_owned();
        frame.series.push(new);
        Ok(frame)
    });
    assert_eq!(
        world
            .score(RunId::new(), "attack_volume")
            .await
            .unwrap()
            .series,
        2
    );
}

#[tokio::test]
async fn a_shorter_horizon_can_be_asked_for() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let short = ScoreRequest {
        horizon_hours: 5,
        ..request(RunId::new(), "attack_volume")
    };
    assert_eq!(world.score_request(short).await.unwrap().rows, 10);
    let forecast = world.forecast("attack_volume", "").await.forecast.unwrap();
    assert_eq!(
        forecast.valid_until,
        timestamp(now() + TimeDelta::hours(5)),
        "not beyond its end"
    );
}
