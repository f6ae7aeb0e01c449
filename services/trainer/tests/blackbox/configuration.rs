//! The example is valid, and what contradicts itself says so before anything starts.

use std::path::Path;

use foretide_outbox::Backoff;
use foretide_service_runtime::testing::TestContext;
use foretide_trainer::config::Config;

use crate::world::now;

fn parse(text: &str) -> Result<Config, foretide_config::ConfigError> {
    let variable = |name: &str| (name == "MLFLOW_PASSWORD").then(|| "hunter2".to_owned());
    foretide_config::parse(Path::new("config.example.yaml"), text, &variable)
}

#[tokio::test]
async fn the_example_can_be_used_and_shows_the_defaults() {
    let example = parse(include_str!("../../config.example.yaml")).unwrap();
    assert_eq!(example.ledger, Backoff::default());
    assert!(!format!("{example:?}").contains("hunter2"));
    let context = TestContext::new("trainer", now(), &[]);
    foretide_trainer::build(&context.ctx, example)
        .await
        .unwrap();
}

#[tokio::test]
async fn credentials_that_contradict_each_other_and_addresses_that_are_none_are_refused() {
    let context = TestContext::new("trainer", now(), &[]);
    for text in [
        "mlflow: {url: 'http://m', user: u}",
        "mlflow: {url: 'http://m', user: u, password: p, token: t}",
        "mlflow: {url: 'mailto:m@x'}",
    ] {
        let refused = foretide_trainer::build(&context.ctx, parse(text).unwrap()).await;
        let refused = refused.expect_err(text).to_string();
        assert!(refused.contains("mlflow"), "{refused}");
    }
}

#[test]
fn unknown_keys_are_refused() {
    assert!(parse("mlflow: {uri: 'http://m'}").is_err());
    assert!(parse("ledger: {first_wait: 1}").is_err());
    assert!(parse("threads: 4").is_err());
}
