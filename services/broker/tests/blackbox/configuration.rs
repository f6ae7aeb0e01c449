//! The configuration.

use std::path::Path;

use foretide_broker::config::Config;
use foretide_service_runtime::testing::TestContext;

use crate::soc::monday;

const WEBHOOK: &str =
    "https://prod-1.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke?sig=s3cret";

fn parse(text: &str) -> Result<Config, String> {
    let variables = |name: &str| (name == "FORETIDE_TEAMS_WEBHOOK").then(|| WEBHOOK.to_owned());
    let path = Path::new("config.example.yaml");
    foretide_config::parse(path, text, &variables).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_valid_and_hides_its_secret() {
    let config = parse(include_str!("../../config.example.yaml")).unwrap();
    assert_eq!(config.validate(), Ok(()));
    assert!(config.teams.is_some());
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn nothing_needs_to_be_configured() {
    assert_eq!(parse("").unwrap().validate(), Ok(()));
}

#[test]
fn a_wrong_key_or_value_is_named() {
    let cases = [
        ("approvers: []", "approvers"),
        ("policy: {quorum: most}", "policy.quorum"),
        ("teams: {}", "webhook_url"),
        ("console_url: here", "console_url"),
    ];
    for (text, key) in cases {
        let problem = parse(text).unwrap_err();
        assert!(problem.contains(key), "{problem}");
    }
    let out_of_bounds = [
        ("policy: {quorum: 0}", "policy"),
        ("policy: {expires_after_hours: 1000}", "policy"),
        ("console_url: 'ftp://console'", "console_url"),
        ("execution_lease_seconds: 1", "execution_lease_seconds"),
        (
            "teams: {webhook_url: 'https://teams.example/workflows/1?sig=s', timeout_seconds: 0}",
            "teams.timeout_seconds",
        ),
    ];
    for (text, key) in out_of_bounds {
        assert_eq!(parse(text).unwrap().validate().unwrap_err().key, key);
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_keeps_it_from_starting_and_is_not_shown() {
    for webhook in [
        "not an address",
        "http://teams.example/workflows/1?sig=s3cret",
        "https://contoso.webhook.office.com/webhookb2/s3cret",
    ] {
        let context = TestContext::new("broker", monday(), &[]);
        let config = parse(&format!("teams: {{webhook_url: '{webhook}'}}")).unwrap();
        let problem = foretide_broker::build(&context.ctx, config)
            .await
            .unwrap_err();
        let shown = format!("{problem} {problem:?}");
        assert!(shown.contains("webhook_url"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
