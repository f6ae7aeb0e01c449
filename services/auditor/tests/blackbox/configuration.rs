//! The configuration.

use std::path::Path;

use foretide_auditor::config::Config;
use foretide_domain::Phase;
use foretide_service_runtime::testing::TestContext;

use crate::soc::monday;

const SIGNING_KEY: &str = "PRIVATE+KEY+soc+7b594fcc+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn parse(text: &str) -> Result<Config, String> {
    let variables = |name: &str| match name {
        "FORETIDE_AUDITOR_SECRET" => Some("s3cret".to_owned()),
        "FORETIDE_AUDITOR_SIGNING_KEY" => Some(SIGNING_KEY.to_owned()),
        _ => None,
    };
    let path = Path::new("config.example.yaml");
    foretide_config::parse(path, text, &variables).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_valid_and_hides_its_secret() {
    let config = parse(include_str!("../../config.example.yaml")).unwrap();
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(
        config.initial_phases.values().collect::<Vec<_>>(),
        [&Phase::Assisted]
    );
    for secret in ["s3cret", SIGNING_KEY] {
        assert!(!format!("{config:?}").contains(secret));
    }
}

#[test]
fn nothing_needs_to_be_configured() {
    assert_eq!(parse("").unwrap().validate(), Ok(()));
}

#[test]
fn a_wrong_key_or_value_is_named() {
    let cases = [
        ("phases: {}", "phases"),
        (
            "initial_phases: {attack_volume: autonomous}",
            "initial_phases.attack_volume",
        ),
        ("gate: {settled_days: many}", "gate.settled_days"),
        ("write_back: {rule: {}}", "write_back.rule"),
    ];
    for (text, key) in cases {
        let problem = parse(text).unwrap_err();
        assert!(problem.contains(key), "{problem}");
    }
    let out_of_bounds = [
        ("gate: {settled_days: 0}", "gate.settled_days"),
        ("gate: {coverage_80_least: 1.5}", "gate.coverage_80_least"),
        (
            "gate: {pinball_ratio_most: .nan}",
            "gate.pinball_ratio_most",
        ),
        ("lookback_days: 0", "lookback_days"),
        ("gate_window_days: 1000", "gate_window_days"),
        ("audit: {signing_key: hunter2}", "audit.signing_key"),
        ("audit: {previous_keys: [a+b+c]}", "audit.previous_keys"),
        ("audit: {publish_to: {url: ''}}", "audit.publish_to.url"),
    ];
    for (text, key) in out_of_bounds {
        assert_eq!(parse(text).unwrap().validate().unwrap_err().key, key);
    }
}

#[tokio::test]
async fn an_undeclared_use_case_keeps_it_from_starting() {
    let context = TestContext::new("auditor", monday(), &[]);
    let config = parse("initial_phases: {geo_risk: assisted}").unwrap();
    let problem = foretide_auditor::build(&context.ctx, config)
        .await
        .unwrap_err();
    assert!(problem.to_string().contains("geo_risk"), "{problem}");
}

#[tokio::test]
async fn without_a_usable_signing_key_it_does_not_start() {
    let context = TestContext::new("auditor", monday(), &[]);
    for (text, words) in [
        ("", "state_folder"),
        ("audit: {signing_key: hunter2}", "audit.signing_key"),
    ] {
        let config = parse(text).unwrap();
        let problem = foretide_auditor::build(&context.ctx, config).await;
        let problem = problem.unwrap_err().to_string();
        assert!(problem.contains(words), "{problem}");
        assert!(!problem.contains("hunter2"));
    }
}
