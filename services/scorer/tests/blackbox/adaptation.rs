//! Intervals follow how often they have held since the training.

use chrono::TimeDelta;
use foretide_api::features::v1::{GetScoringFrameRequest, GetScoringFrameResponse};
use foretide_api::scoring::v1::{ForecastPoint, ScoreRequest};
use foretide_api::timestamp;
use foretide_domain::RunId;

use crate::world::{World, frame, now, request};

const USE_CASE: &str = "attack_volume";
const TOTAL: &str = "attack_volume/total";

#[tokio::test]
async fn f1_noise_that_grew_after_the_training_widens_what_is_served() {
    let world = World::new().await;
    world.is_ready(USE_CASE).await;
    world.feature_store_answers(|query| Ok(shaken(query)));
    for day in 0..8 {
        scored(&world, day).await;
    }
    let (followed, note) = served(&world).await;
    assert!(note.contains("intervals wider than trained"), "{note}");

    let newcomer = World::new().await;
    newcomer.is_ready(USE_CASE).await;
    newcomer.feature_store_answers(|query| Ok(shaken(query)));
    scored(&newcomer, 7).await;
    let (as_trained, note) = served(&newcomer).await;
    assert!(!note.contains("than trained"), "{note}");
    for (point, other) in followed.iter().zip(&as_trained) {
        let (q, other) = (point.quantiles.unwrap(), other.quantiles.unwrap());
        assert_eq!(q.q500, other.q500, "the median stays");
        assert_eq!(point.mean.is_finite(), q.q025 >= 0.0);
        let levels = [q.q025, q.q100, q.q500, q.q900, q.q975];
        assert!(levels.is_sorted(), "{levels:?}");
    }
    let ratio = width(&followed) / width(&as_trained);
    assert!(ratio > 1.25, "{ratio}");
}

#[tokio::test]
async fn a_new_version_begins_with_what_it_learned() {
    let world = World::new().await;
    world.is_ready(USE_CASE).await;
    world.feature_store_answers(|query| Ok(shaken(query)));
    for day in 0..8 {
        scored(&world, day).await;
    }
    if let Some(champion) = world.trainer.champion.lock().unwrap().as_mut() {
        champion.version += 1;
    }
    scored(&world, 8).await;
    let (_, note) = served(&world).await;
    assert!(!note.contains("than trained"), "{note}");
}

#[tokio::test]
async fn incomplete_inputs_teach_nothing() {
    let world = World::new().await;
    world.is_ready(USE_CASE).await;
    world.feature_store_answers(|query| {
        Ok(GetScoringFrameResponse {
            completeness: 0.5,
            ..shaken(query)
        })
    });
    for day in 0..8 {
        scored(&world, day).await;
    }
    let (_, note) = served(&world).await;
    assert!(!note.contains("than trained"), "{note}");
}

async fn scored(world: &World, days: i64) {
    let asked = ScoreRequest {
        as_of: timestamp(now() + TimeDelta::days(days)),
        ..request(RunId::new(), USE_CASE)
    };
    world.score_request(asked).await.unwrap();
}

async fn served(world: &World) -> (Vec<ForecastPoint>, String) {
    let series = world.forecast(USE_CASE, TOTAL).await.series.unwrap();
    (series.points, series.note)
}

/// Mean width of the 80% interval of the first two days.
fn width(points: &[ForecastPoint]) -> f64 {
    let widths = points[..48].iter().map(|point| {
        let quantiles = point.quantiles.unwrap();
        quantiles.q900 - quantiles.q100
    });
    widths.sum::<f64>() / 48.0
}

/// Histories that are shaken from the day of the training on.
fn shaken(query: &GetScoringFrameRequest) -> GetScoringFrameResponse {
    let mut frame = frame(query, 1.0, 1.0);
    let trained = now().timestamp() / 3_600;
    for series in &mut frame.series {
        let first = series.start.unwrap().seconds / 3_600;
        for (hour, value) in (first..).zip(&mut series.values) {
            if hour >= trained {
                let shake = [0.3, 2.2, 1.0, 0.1, 1.6, 2.5, 0.6];
                *value *= shake[usize::try_from(hour.rem_euclid(7)).unwrap()];
            }
        }
    }
    frame
}
