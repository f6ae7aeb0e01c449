//! The configuration, good and bad.

use std::path::Path;

use foretide_orchestrator::config::Config;
use foretide_service_runtime::testing::TestContext;

use crate::story::{NOW, at};

const EXAMPLE: &str = include_str!("../../config.example.yaml");

fn parse(text: &str) -> Result<Config, foretide_config::ConfigError> {
    foretide_config::parse(Path::new("config.example.yaml"), text, &|_| None)
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(parse(EXAMPLE).unwrap(), Config::default());
}

#[test]
fn unknown_keys_and_wrong_types_are_named() {
    for (text, named) in [
        ("calender: {}", "calender"),
        ("calendar: { enabled: maybe }", "calendar.enabled"),
        ("concurrency: -1", "concurrency"),
        ("backoff: { first_seconds: soon }", "backoff.first_seconds"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn values_out_of_bounds_keep_the_service_from_starting() {
    for (text, named) in [
        (
            "concurrency: 0",
            "orchestrator.concurrency must be from 1 to 64, got 0",
        ),
        (
            "retrain_after_days: 4000",
            "orchestrator.retrain_after_days",
        ),
        (
            "calendar: { schedules: { hourly: \"0 0 * * * *\" } }",
            "entries are refresh, forecast, train and evaluate",
        ),
        (
            "calendar: { schedules: { train: weekly } }",
            "schedules.train",
        ),
    ] {
        let context = TestContext::new("orchestrator", at(NOW), &[]);
        let refused = foretide_orchestrator::build(&context.ctx, parse(text).unwrap()).await;
        let error = refused.expect_err(text).to_string();
        assert!(error.contains(named), "{error}");
    }
}
