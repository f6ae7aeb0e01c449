//! Microsoft's own Python clients against the emulator, over TLS: in Azure and here they see the same.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use foretide_domain::machine_clock;
use foretide_emulator::{
    ClientConfig, Emulator, EmulatorConfig, EmulatorHandle, FederatedCredential, HttpsConfig,
    KqlEngineConfig, ManagedIdentityConfig, RuleConfig,
};
use foretide_http::ClientOptions;
use foretide_test_support::{
    ForetideProcess, KqlEngine, foretide, free_port, or_skip, python_of, repository_root,
};
use serde_json::{Value, json};
use tokio::process::Command;

const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";
const EXPIRED_CLIENT: &str = "00000000-0000-4000-8000-00000000e0c1";
const MANAGED_CLIENT: &str = "00000000-0000-4000-8000-0000000a1de0";
const SECRET: &str = "the secret's value";
const ISSUER: &str = "https://oidc.example/cluster/";
const SUBJECT: &str = "system:serviceaccount:foretide:scorer";
const RULE: &str = "dcr-000000000000000000000000000000e2";
const STREAM: &str = "Custom-Story";

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_clients_see_what_they_see_in_azure() -> anyhow::Result<()> {
    let Some(python) = or_skip(python_of("microsoft"))? else {
        return Ok(());
    };
    let Some(engine) = or_skip(KqlEngine::start().await)? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let other = folder.path().join("other");
    std::fs::create_dir(&other)?;
    for folder in [folder.path(), &other] {
        run(&python, "make_certificate.py", folder, None).await?;
    }
    let ca_file = folder.path().join("ca.pem");
    let emulator = start(&engine, folder.path(), &ca_file).await?;
    let world = folder.path().join("world.json");
    std::fs::write(&world, describe(&emulator, folder.path())?.to_string())?;

    let told = run(&python, "microsoft_clients.py", &world, Some(&ca_file)).await?;

    println!("{told}");
    ensure!(told.lines().count() >= 12, "every story tells its end");
    let queries = emulator.requests("/v1/workspaces/");
    ensure!(!queries.is_empty(), "the workspace was never asked");
    Ok(())
}

async fn start(
    engine: &KqlEngine,
    folder: &Path,
    ca_file: &Path,
) -> anyhow::Result<EmulatorHandle> {
    let credential = FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        audience: EmulatorConfig::TOKEN_EXCHANGE_AUDIENCE.to_owned(),
    };
    let client = ClientConfig {
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.into()),
        certificates: vec![std::fs::read_to_string(folder.join("certificate.pem"))?],
        federated_credentials: vec![credential],
        ..ClientConfig::default()
    };
    let expired = ClientConfig {
        client_id: EXPIRED_CLIENT.to_owned(),
        client_secret: Some(SECRET.into()),
        secret_expired: true,
        ..ClientConfig::default()
    };
    let machine = ManagedIdentityConfig {
        client_id: MANAGED_CLIENT.to_owned(),
        object_id: None,
        resource_id: None,
        system_assigned: true,
    };
    let rule: RuleConfig = serde_json::from_value(json!({
        "id": RULE,
        "streams": [{
            "name": STREAM,
            "columns": [
                {"name": "TimeGenerated", "type": "datetime"},
                {"name": "Name", "type": "string"},
                {"name": "Count", "type": "long"},
                {"name": "Detail", "type": "dynamic"},
            ],
        }],
    }))?;
    let config = EmulatorConfig {
        https: Some(HttpsConfig {
            ca_file: Some(ca_file.to_owned()),
            ..HttpsConfig::default()
        }),
        clients: vec![client, expired],
        managed_identities: vec![machine],
        rules: vec![rule],
        visibility_delay_ms: 1_000,
        kql_engine: Some(KqlEngineConfig {
            url: engine.url().parse()?,
            database: "workspace".to_owned(),
        }),
        ..EmulatorConfig::default()
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "these clients know no other clock"
    )]
    let clock = machine_clock();
    Ok(Emulator::start(config, clock).await?)
}

fn describe(emulator: &EmulatorHandle, folder: &Path) -> anyhow::Result<Value> {
    let arm = EmulatorConfig::default().arm;
    Ok(json!({
        "http": emulator.base_url(),
        "https": emulator.https_url().context("the emulator listens with TLS")?,
        "tenant": EmulatorConfig::TENANT,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "expired_client_id": EXPIRED_CLIENT,
        "managed_client_id": MANAGED_CLIENT,
        "issuer": ISSUER,
        "subject": SUBJECT,
        "folder": folder,
        "rule": RULE,
        "stream": STREAM,
        "table": "Story_CL",
        "workspace": arm.workspace_id,
        "workspace_name": arm.workspace,
        "subscription": arm.subscription_id,
        "resource_group": arm.resource_group,
    }))
}

/// Runs a script of `e2e/python`; what it prints.
async fn run(
    python: &PathBuf,
    script: &str,
    argument: &Path,
    ca_file: Option<&Path>,
) -> anyhow::Result<String> {
    let mut command = Command::new(python);
    command
        .arg(repository_root().join("e2e/python").join(script))
        .arg(argument)
        .env_clear()
        // a machine's clock that was set is set for them, too
        .envs(std::env::vars().filter(|(name, _)| name.contains("FAKE") || name == "LD_PRELOAD"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(ca_file) = ca_file {
        command.env("REQUESTS_CA_BUNDLE", ca_file);
    }
    let output = command.output().await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{script} failed\n{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_is_a_command_that_others_can_use() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (port, tls_port) = (free_port()?, free_port()?);
    let settings = json!({
        "tenant": "contoso.example",
        "clients": [{"client_id": "app", "client_secret": "${EMULATOR_SECRET}"}],
    });
    // JSON is YAML.
    std::fs::write(folder.path().join("emulator.yaml"), settings.to_string())?;
    let (listen, https) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{tls_port}"));
    let arguments = [
        "emulator",
        "--file",
        "emulator.yaml",
        "--listen",
        &listen,
        "--https",
        &https,
        "--ca-file",
        "ca.pem",
    ];
    let _emulator = ForetideProcess::start(
        folder.path(),
        "emulator",
        arguments,
        &[("EMULATOR_SECRET".to_owned(), "hush".into())],
        &format!("http://{listen}/healthz"),
    )
    .await?;

    let http = foretide_http::client(&ClientOptions {
        extra_ca_pem: Some(std::fs::read(folder.path().join("ca.pem"))?),
        ..ClientOptions::default()
    })?;
    let address = format!("https://localhost:{tls_port}/contoso.example/oauth2/v2.0/token");
    for (secret, status) in [("hush", 200), ("wrong", 401)] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "app"),
            ("client_secret", secret),
            ("scope", "https://monitor.azure.com/.default"),
        ];
        let answer = http.post(&address).form(&form).send().await?;
        ensure!(
            answer.status().as_u16() == status,
            "{secret}: {}",
            answer.status()
        );
    }

    std::fs::write(folder.path().join("broken.yaml"), "colour: red")?;
    for arguments in [
        ["emulator", "--file", "broken.yaml"],
        ["emulator", "--file", "missing.yaml"],
        ["emulator", "--listen", "0.0.0.0:0"],
    ] {
        let refused = foretide(folder.path(), arguments).await?;
        ensure!(refused.code == 78, "{arguments:?}: {refused:?}");
    }
    Ok(())
}
