//! Forecasts are found by id, by moment and in lists; questions out of bounds are refused.

use chrono::TimeDelta;
use foretide_api::scoring::v1::{
    GetForecastRequest, ListForecastsRequest, ListRiskWindowsRequest, ScoreRequest,
};
use foretide_api::{span_message, timestamp};
use foretide_domain::{ForecastId, RunId, TimeSpan};
use tonic::Code;

use crate::world::{World, now, request};

async fn world_with_two_forecasts() -> (World, [String; 2]) {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let first = world
        .score(RunId::new(), "attack_volume")
        .await
        .unwrap()
        .forecast_id;
    let later = ScoreRequest {
        as_of: timestamp(now() + TimeDelta::hours(3)),
        ..request(RunId::new(), "attack_volume")
    };
    let second = world.score_request(later).await.unwrap().forecast_id;
    (world, [first, second])
}

fn newest() -> GetForecastRequest {
    GetForecastRequest {
        use_case: "attack_volume".to_owned(),
        ..GetForecastRequest::default()
    }
}

#[tokio::test]
async fn the_newest_an_earlier_one_and_a_named_one_are_found() {
    let (world, [first, second]) = world_with_two_forecasts().await;
    let cases = [
        (newest(), &second),
        (
            GetForecastRequest {
                issued_before: timestamp(now() + TimeDelta::hours(2)),
                ..newest()
            },
            &first,
        ),
        (
            GetForecastRequest {
                issued_before: timestamp(now()),
                ..newest()
            },
            &first,
        ),
        (
            GetForecastRequest {
                forecast_id: first.clone(),
                ..newest()
            },
            &first,
        ),
    ];
    for (question, expected) in cases {
        let found = world
            .client()
            .get_forecast(question)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(&found.forecast.unwrap().forecast_id, expected);
        assert_eq!(found.series.unwrap().series_id, "attack_volume/total");
    }
}

#[tokio::test]
async fn of_two_forecasts_as_of_the_same_moment_the_later_runs_is_the_newest() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    for _ in 0..6 {
        let made = world.score(RunId::new(), "attack_volume").await.unwrap();
        let found = world
            .client()
            .get_forecast(newest())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.forecast.unwrap().forecast_id, made.forecast_id);
    }
}

#[tokio::test]
async fn lists_are_newest_first_within_span_and_limit() {
    let (world, [first, second]) = world_with_two_forecasts().await;
    let all = ListForecastsRequest {
        use_case: "attack_volume".to_owned(),
        ..ListForecastsRequest::default()
    };
    let until = |end| span_message(TimeSpan { start: now(), end });
    let cases = [
        (all.clone(), vec![&second, &first]),
        (
            ListForecastsRequest {
                limit: 1,
                ..all.clone()
            },
            vec![&second],
        ),
        (
            ListForecastsRequest {
                issued: until(now() + TimeDelta::hours(1)),
                ..all
            },
            vec![&first],
        ),
    ];
    for (question, expected) in cases {
        let found = world
            .client()
            .list_forecasts(question)
            .await
            .unwrap()
            .into_inner()
            .forecasts;
        let ids: Vec<_> = found.iter().map(|forecast| &forecast.forecast_id).collect();
        assert_eq!(ids, expected);
        assert!(found.iter().all(|forecast| forecast.series_ids.len() == 2));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (world, [first, _]) = world_with_two_forecasts().await;
    let unknown = [
        GetForecastRequest {
            forecast_id: ForecastId::new().to_string(),
            ..newest()
        },
        GetForecastRequest {
            series_id: "attack_volume/severity=None".to_owned(),
            ..newest()
        },
        GetForecastRequest {
            issued_before: timestamp(now() - TimeDelta::hours(1)),
            ..newest()
        },
        GetForecastRequest {
            use_case: "no_such_thing".to_owned(),
            ..newest()
        },
        // A forecast of another use case than the one asked for.
        GetForecastRequest {
            use_case: "risk_period".to_owned(),
            forecast_id: first,
            ..newest()
        },
    ];
    for question in unknown {
        let refused = world.client().get_forecast(question).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
    }
}

#[tokio::test]
async fn hostile_questions_are_refused_by_field() {
    let world = World::new().await;
    let cases = [
        (
            GetForecastRequest {
                use_case: "../x".to_owned(),
                ..newest()
            },
            "use_case",
        ),
        (
            GetForecastRequest {
                series_id: "attack_volume".to_owned(),
                ..newest()
            },
            "series_id",
        ),
        (
            GetForecastRequest {
                series_id: "risk_period/total".to_owned(),
                ..newest()
            },
            "series_id",
        ),
        (
            GetForecastRequest {
                series_id: "x".repeat(10_000),
                ..newest()
            },
            "series_id",
        ),
        (
            GetForecastRequest {
                forecast_id: "' or 1=1".to_owned(),
                ..newest()
            },
            "forecast_id",
        ),
        (
            GetForecastRequest {
                issued_before: Some(foretide_api::Timestamp {
                    seconds: i64::MIN,
                    nanos: 0,
                }),
                ..newest()
            },
            "issued_before",
        ),
    ];
    for (question, field) in cases {
        let refused = world.client().get_forecast(question).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(field), "{refused}");
    }
    let backwards = ListRiskWindowsRequest {
        use_case: "risk_period".to_owned(),
        span: span_message(TimeSpan {
            start: now(),
            end: now() - TimeDelta::hours(1),
        }),
        ..ListRiskWindowsRequest::default()
    };
    let refused = world
        .client()
        .list_risk_windows(backwards)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let too_many = ListForecastsRequest {
        use_case: "attack_volume".to_owned(),
        limit: u32::MAX,
        ..ListForecastsRequest::default()
    };
    let refused = world.client().list_forecasts(too_many).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
