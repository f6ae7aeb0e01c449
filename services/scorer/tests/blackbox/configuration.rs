//! The example is valid, and what is out of bounds says so before anything starts.

use std::path::Path;

use foretide_outbox::Backoff;
use foretide_scorer::config::Config;
use foretide_service_runtime::testing::TestContext;

use crate::world::now;

fn parse(text: &str) -> Result<Config, foretide_config::ConfigError> {
    let variable = |name: &str| (name == "SINK_CLIENT_SECRET").then(|| "hunter2".to_owned());
    foretide_config::parse(Path::new("config.example.yaml"), text, &variable)
}

#[tokio::test]
async fn the_example_can_be_used_and_shows_the_defaults() {
    let example = parse(include_str!("../../config.example.yaml")).unwrap();
    let defaults = Config::default();
    assert!((example.completeness_threshold - defaults.completeness_threshold).abs() < 1e-12);
    assert_eq!(example.valid_for_hours, defaults.valid_for_hours);
    assert_eq!(example.outbox, Backoff::default());
    assert!(!format!("{example:?}").contains("hunter2"));
    let context = TestContext::new("scorer", now(), &[]);
    foretide_scorer::build(&context.ctx, example).await.unwrap();
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_by_key() {
    let context = TestContext::new("scorer", now(), &[]);
    let write_back = "write_back: {identity: {tenant: t, client_id: c, client_secret: s}, \
                      rule: {endpoint: 'https://x.example', dcr_immutable_id: dcr-1}}";
    let with_rule = "write_back: {identity: {tenant: t, client_id: c, client_secret: s}, \
                     rule: {endpoint: 'https://x.example', \
                     dcr_immutable_id: dcr-00000000000000000000000000000001}}";
    let watchlist = |key: &str| {
        format!(
            "watchlist: {{workspace: {{subscription_id: 22222222-2222-2222-2222-222222222222, \
             resource_group: rg, workspace: law-soc}}, identity: {{tenant: t, client_id: c, \
             client_secret: s}}, {key}}}"
        )
    };
    let cases = [
        (
            "completeness_threshold: 0".to_owned(),
            "completeness_threshold",
        ),
        (
            "completeness_threshold: .nan".to_owned(),
            "completeness_threshold",
        ),
        ("valid_for_hours: 0".to_owned(), "valid_for_hours"),
        (write_back.to_owned(), "dcr-"),
        (
            "write_back: {sink: data_collector}".to_owned(),
            "write_back.data_collector must be set",
        ),
        ("write_back: {}".to_owned(), "write_back.rule must be set"),
        (
            with_rule.replacen(
                "write_back: {",
                "write_back: {read_back: {workspace_id: mine}, ",
                1,
            ),
            "write_back.read_back.workspace_id",
        ),
        (watchlist("alias: 'a b'"), "watchlist.alias"),
        (
            watchlist("monthly_changes: 100001"),
            "watchlist.monthly_changes",
        ),
        (watchlist("every_seconds: 0"), "watchlist.every_seconds"),
    ];
    for (text, expected) in cases {
        let config = parse(&text).unwrap();
        let refused = foretide_scorer::build(&context.ctx, config)
            .await
            .expect_err(&text)
            .to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn unknown_keys_are_refused() {
    assert!(parse("threshold: 0.9").is_err());
    assert!(parse("write_back: {url: 'https://x.example'}").is_err());
    assert!(parse("outbox: {retries: 3}").is_err());
}
