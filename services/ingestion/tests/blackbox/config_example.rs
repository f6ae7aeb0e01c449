//! The example configuration is one.

use std::path::Path;

use foretide_ingestion::Config;

fn parse(text: &str) -> Result<Config, foretide_config::ConfigError> {
    foretide_config::parse(Path::new("ingestion.yaml"), text, &|_| Some("x".to_owned()))
}

#[test]
fn the_example_is_valid() {
    let config = parse(include_str!("../../config.example.yaml")).unwrap();
    config.validate().unwrap();
    assert_eq!(config.files.unwrap().counts[0].series.len(), 2);
}

#[test]
fn the_commented_source_is_valid_too() {
    let text = "state_folder: s\nlog_analytics:\n  workspace_id: 11111111-1111-1111-1111-111111111111\n  identity: {tenant: t, client_id: c, client_secret: '${X}'}\n";
    parse(text).unwrap().validate().unwrap();
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("{}", "files"),
        ("files: {locations: [{url: x}]}", "pseudonym_key"),
        ("{state_folder: s, files: {}}", "files.locations"),
        (
            "{state_folder: s, files: {locations: [{url: x}], mappings: {a.csv: {table: SecurityAlert, columns: {Nope: x}}}}}",
            "a.csv",
        ),
        (
            "{state_folder: s, files: {locations: [{url: x}], counts: [{path: a, measure: incidents, series: {a: {severity: Purple}}}]}}",
            "severity",
        ),
        (
            "{state_folder: s, log_analytics: {workspace_id: name, identity: {tenant: t, client_id: c, client_secret: x}}}",
            "workspace_id",
        ),
    ];
    for (text, key) in cases {
        let problem = parse(text).unwrap().validate().unwrap_err();
        assert!(problem.key.contains(key), "{text}: {problem}");
    }
    let unknown = parse("files: {folder: x}").unwrap_err().to_string();
    assert!(unknown.contains("files"), "{unknown}");
}
