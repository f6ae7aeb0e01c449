//! A bad file is refused with its name, the key and what is allowed.

use std::path::Path;

use foretide_config::{ConfigError, ExposeSecret, SecretString, load, parse};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    nested: Nested,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Embedded,
    Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nested {
    token: Option<SecretString>,
    #[expect(dead_code, reason = "only its type matters here")]
    retries: Option<u8>,
}

fn read(text: &str) -> Result<Example, ConfigError> {
    parse(Path::new("foretide.yaml"), text, &|name| {
        (name == "TOKEN").then(|| "s3cret".to_owned())
    })
}

#[test]
fn an_empty_file_is_all_defaults() {
    assert_eq!(read("").unwrap().mode, Mode::Embedded);
}

#[test]
fn an_unknown_value_is_refused_with_the_allowed_ones() {
    let error = read("mode: cloud").unwrap_err().to_string();
    assert!(error.contains("foretide.yaml: key mode"), "{error}");
    assert!(
        error.contains("embedded") && error.contains("cluster"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    let error = read("nested:\n  retry: 3").unwrap_err().to_string();
    assert!(error.contains("key nested"), "{error}");
    assert!(
        error.contains("`retry`") && error.contains("`retries`"),
        "{error}"
    );
}

#[test]
fn a_wrong_type_is_refused_at_its_key() {
    let error = read("nested:\n  retries: many").unwrap_err().to_string();
    assert!(error.contains("key nested.retries"), "{error}");
}

#[test]
fn broken_yaml_names_the_line() {
    let error = read("mode: [").unwrap_err().to_string();
    assert!(
        error.contains("not valid YAML") && error.contains("line"),
        "{error}"
    );
}

#[test]
fn a_secret_comes_from_the_environment_and_is_never_shown() {
    let example = read("nested:\n  token: ${TOKEN}").unwrap();
    assert_eq!(
        example.nested.token.as_ref().unwrap().expose_secret(),
        "s3cret"
    );
    assert!(!format!("{example:?}").contains("s3cret"));
    let error = read("nested:\n  token: ${MISSING}")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nested.token") && error.contains("MISSING"),
        "{error}"
    );
}

#[test]
fn a_missing_and_an_oversized_file_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.yaml");
    let error = load::<Example>(&missing, &|_| None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("none.yaml"), "{error}");
    let large = folder.path().join("large.yaml");
    std::fs::write(&large, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    let error = load::<Example>(&large, &|_| None).unwrap_err();
    assert!(matches!(error, ConfigError::TooLarge { .. }), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_an_answer_not_a_panic(text in any::<String>()) {
        drop(read(&text));
    }
}
