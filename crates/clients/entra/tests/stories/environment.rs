//! `kind: environment` takes what the environment offers, in a fixed order.

use foretide_domain::SimulatedClock;
use foretide_entra::{Cloud, Credential, IdentityConfig};

use crate::fake::{noon, tokens_of};

fn chosen(variables: &[(&str, &str)]) -> String {
    let clock = SimulatedClock::starting_at(noon());
    let identity = IdentityConfig::from(Credential::Environment);
    format!("{:?}", tokens_of(identity, &clock, variables).unwrap())
}

#[test]
fn a_secret_comes_before_a_certificate_before_a_pods_token_before_the_machine() {
    let mut variables = vec![
        ("AZURE_TENANT_ID", "contoso.example"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/token"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/identity.pem"),
        ("AZURE_CLIENT_SECRET", "hush"),
    ];
    let mut order = Vec::new();
    while variables.len() > 1 {
        let shown = chosen(&variables);
        assert!(!shown.contains("hush"), "{shown}");
        order.push(shown.split('"').nth(1).unwrap().to_owned());
        variables.pop();
    }
    assert_eq!(
        order,
        [
            "client secret",
            "certificate",
            "workload identity",
            "managed identity"
        ]
    );
    assert!(
        chosen(&[("AZURE_CLIENT_SECRET", "hush")]).contains("managed identity"),
        "a secret alone is none"
    );
    assert!(
        chosen(&[("AZURE_CLIENT_SECRET", "")]).contains("managed identity"),
        "empty is unset"
    );
}

#[test]
fn the_authority_follows_configuration_then_environment_then_cloud() {
    let clock = SimulatedClock::starting_at(noon());
    let variables = [
        ("AZURE_TENANT_ID", "contoso.example"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_CLIENT_SECRET", "hush"),
        ("AZURE_AUTHORITY_HOST", "login.private.example"),
    ];
    let shown = |identity: IdentityConfig, variables: &[(&str, &str)]| {
        format!("{:?}", tokens_of(identity, &clock, variables).unwrap())
    };
    let by_environment = || IdentityConfig::from(Credential::Environment);
    let address = |host: &str| format!("\"https://{host}/contoso.example/oauth2/v2.0/token\"");
    let here = by_environment().at("https://here.example".parse().unwrap());
    assert!(shown(here, &variables).contains(&address("here.example")));
    assert!(shown(by_environment(), &variables).contains(&address("login.private.example")));
    for (cloud, host) in [
        (Cloud::Public, "login.microsoftonline.com"),
        (Cloud::UsGov, "login.microsoftonline.us"),
        (Cloud::China, "login.chinacloudapi.cn"),
    ] {
        let identity = IdentityConfig {
            cloud,
            ..by_environment()
        };
        let shown = shown(identity, &variables[..3]);
        assert!(shown.contains(&address(host)), "{shown}");
    }
    let secret = IdentityConfig::client_secret("contoso.example", "app", "s".into());
    assert!(
        shown(secret, &variables).contains(&address("login.microsoftonline.com")),
        "a configured secret does not go where a variable says"
    );
    let broken = [("AZURE_AUTHORITY_HOST", "https://")];
    let error = tokens_of(by_environment(), &clock, &broken).unwrap_err();
    assert!(
        error.to_string().contains("AZURE_AUTHORITY_HOST"),
        "{error}"
    );
    let broken = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", "nonsense")];
    let error = tokens_of(by_environment(), &clock, &broken).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
        "{error}"
    );
}
