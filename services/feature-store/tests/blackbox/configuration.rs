//! The example is valid, and what is not valid says so before anything starts.

use std::path::Path;
use std::sync::Arc;

use foretide_calendar::{Calendar, CalendarConfig};
use foretide_domain::UseCase;
use foretide_feature_store::config::Config;
use foretide_service_runtime::testing::TestContext;

use crate::workspace::hour;

const EXAMPLE: &str = include_str!("../../config.example.yaml");

fn parse(text: &str) -> Result<Config, foretide_config::ConfigError> {
    foretide_config::parse(Path::new("config.example.yaml"), text, &|_| None)
}

async fn refusal(context: &TestContext, config: Config) -> String {
    foretide_feature_store::build(&context.ctx, config)
        .await
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn the_example_can_be_used_and_shows_the_defaults() {
    let example = parse(EXAMPLE).unwrap();
    example.check().unwrap();
    let calendar = Calendar::new(example.calendar.clone()).unwrap();
    assert_eq!(calendar.config().campaigns.len(), 1);
    assert_eq!(
        Config {
            calendar: CalendarConfig::default(),
            ..example
        },
        Config::default()
    );
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn an_unknown_key_is_named() {
    let error = parse("calendar:\n  contry: DE\n").unwrap_err().to_string();
    assert!(
        error.contains("calendar.contry") && error.contains("country"),
        "{error}"
    );
}

#[tokio::test]
async fn values_out_of_bounds_stop_the_start() {
    let context = TestContext::new("feature-store", hour(0, 0), &[]);
    let message = refusal(
        &context,
        Config {
            settle_hours: 0,
            ..Config::default()
        },
    )
    .await;
    assert!(
        message.contains("feature_store.settle_hours must be from 1 to 168, got 0"),
        "{message}"
    );
    let calendar = CalendarConfig {
        country: "ZZ".to_owned(),
        ..CalendarConfig::default()
    };
    let message = refusal(
        &context,
        Config {
            calendar,
            ..Config::default()
        },
    )
    .await;
    assert!(
        message.contains("calendar.country must be one of AT, AU"),
        "{message}"
    );
}

#[tokio::test]
async fn a_use_case_with_an_unknown_view_stops_the_start() {
    let mut context = TestContext::new("feature-store", hour(0, 0), &[]);
    let mut use_cases = UseCase::built_in();
    use_cases[0].feature_view = "minutely".to_owned();
    context.ctx.use_cases = Arc::new(use_cases);
    let message = refusal(&context, Config::default()).await;
    assert!(
        message.contains("attack_volume")
            && message.contains("attack_volume_hourly, risk_period_hourly"),
        "{message}"
    );
}
