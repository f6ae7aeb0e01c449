//! AKS workload identity: the pod's token is exchanged, and read anew each time.

use std::path::{Path, PathBuf};

use foretide_domain::SimulatedClock;
use foretide_entra::{Credential, EntraError, IdentityConfig, TokenSource};

use crate::fake::{Bench, CLIENT, MONITOR, at, noon, refusal, token, tokens_of};

fn write(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("azure-identity-token");
    std::fs::write(&file, text).unwrap();
    file
}

async fn bench(file: PathBuf) -> Bench {
    Bench::with(|authority| {
        at(
            authority,
            Credential::WorkloadIdentity {
                tenant: Some("contoso.example".to_owned()),
                client_id: Some(CLIENT.to_owned()),
                token_file: Some(file),
            },
        )
    })
    .await
}

#[tokio::test]
async fn the_file_is_read_again_at_each_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(folder.path(), "first.pod.token\n")).await;
    bench
        .endpoint
        .will_answer(200, &token("one", 3_599))
        .will_answer(200, &token("two", 3_599));
    assert_eq!(bench.token().await.unwrap(), "one");
    write(folder.path(), "second.pod.token");
    assert_eq!(bench.token().await.unwrap(), "one", "no refresh is due");
    bench.after(3_500);
    assert_eq!(bench.token().await.unwrap(), "two");
    let requests = bench.endpoint.requests();
    assert_eq!(requests[0].path, "/contoso.example/oauth2/v2.0/token");
    let form = requests[0].form();
    assert_eq!(
        form["client_assertion"], "first.pod.token",
        "as it is, without the line end"
    );
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(
        (&*form["grant_type"], &*form["client_id"]),
        ("client_credentials", CLIENT)
    );
    assert_eq!(requests[1].form()["client_assertion"], "second.pod.token");
}

#[tokio::test]
async fn a_file_that_vanishes_costs_nothing_while_the_token_lives() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "first.pod.token");
    let bench = bench(file.clone()).await;
    bench.endpoint.will_answer(200, &token("one", 3_599));
    bench.token().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    bench.after(3_500);
    assert_eq!(bench.token().await.unwrap(), "one");
    bench.after(3_599);
    let error = bench.token().await.unwrap_err();
    assert!(matches!(error, EntraError::Credential { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("azure-identity-token cannot be read"),
        "{error}"
    );
    write(folder.path(), "second.pod.token");
    bench.endpoint.will_answer(200, &token("two", 3_599));
    assert_eq!(bench.token().await.unwrap(), "two");
}

#[tokio::test]
async fn a_file_without_a_token_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "",
        "\n",
        "hush",
        "a.b",
        "a.b.c d",
        "a.b.c\nd.e.f",
        &"a.".repeat(200_000),
    ] {
        let bench = bench(write(folder.path(), text)).await;
        let error = bench.token().await.unwrap_err();
        assert!(matches!(error, EntraError::Credential { .. }), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        assert!(bench.endpoint.requests().is_empty());
    }
    std::fs::write(
        folder.path().join("azure-identity-token"),
        [0xff, 0xfe, b'.', b'.'],
    )
    .unwrap();
    let bench = bench(folder.path().join("azure-identity-token")).await;
    let error = bench.token().await.unwrap_err();
    assert!(error.to_string().contains("is no text"), "{error}");
}

#[tokio::test]
async fn mismatches_say_what_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(folder.path(), "first.pod.token")).await;
    for (code, said) in [
        (70_025, "add one for this service account"),
        (70_021, "issuer, subject and audience"),
        (700_211, "OIDC issuer URL"),
        (700_212, "api://AzureADTokenExchange"),
        (700_213, "system:serviceaccount:"),
        (700_024, "token file is renewed"),
    ] {
        bench.endpoint.will_answer(401, &refusal(code));
        let error = bench.token().await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(!error.to_string().contains("pod.token"), "{error}");
    }
}

#[tokio::test]
async fn what_the_webhook_injects_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(folder.path(), "first.pod.token")).await;
    let file = folder.path().join("azure-identity-token");
    let injected = [
        ("AZURE_TENANT_ID", "contoso.example"),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_AUTHORITY_HOST", bench.address.as_str()),
    ];
    let credential = Credential::WorkloadIdentity {
        tenant: None,
        client_id: None,
        token_file: None,
    };
    let clock = SimulatedClock::starting_at(noon());
    let source = tokens_of(IdentityConfig::from(credential.clone()), &clock, &injected).unwrap();
    bench.endpoint.will_answer(200, &token("one", 3_599));
    source.token(MONITOR).await.unwrap();
    assert_eq!(bench.endpoint.requests()[0].form()["client_id"], CLIENT);

    for missing in 0..3 {
        let mut rest = injected.to_vec();
        let (name, _) = rest.remove(missing);
        let error = tokens_of(IdentityConfig::from(credential.clone()), &clock, &rest).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let mut bound = injected.to_vec();
    bound.push(("AZURE_KUBERNETES_TOKEN_PROXY", "https://proxy.example"));
    let error = tokens_of(IdentityConfig::from(credential), &clock, &bound).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("identity bindings are not supported"),
        "{error}"
    );
}
