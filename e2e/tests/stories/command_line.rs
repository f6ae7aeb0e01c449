//! What a user meets on the command line before anything runs.

use foretide_test_support::{ForetideOutput, foretide};

async fn with_config(text: &str) -> anyhow::Result<ForetideOutput> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("foretide.yaml"), text)?;
    foretide(
        folder.path(),
        ["config", "check", "--config", "foretide.yaml"],
    )
    .await
}

#[tokio::test]
async fn a_bad_configuration_ends_with_78_and_names_file_key_and_what_is_allowed()
-> anyhow::Result<()> {
    for (text, said) in [
        ("scorrer: {}", vec!["foretide.yaml", "scorrer", "scorer"]),
        ("listen: {console: high}", vec!["listen.console", "u16"]),
        (
            "telemetry: {format: xml}",
            vec!["telemetry.format", "text", "json"],
        ),
        (
            "feature_store: {history_days: 0}",
            vec!["history_days", "7", "3660"],
        ),
        (
            "database: {url: \"mysql://x\"}",
            vec!["database.url", "sqlite", "postgres"],
        ),
        (
            "identity: {people: [{name: a, roles: [viewer], token: short}]}",
            vec!["identity", "16"],
        ),
        ("a: [", vec!["foretide.yaml"]),
    ] {
        let output = with_config(text).await?;
        assert_eq!(output.code, 78, "{text}: {}", output.stderr);
        for word in said {
            assert!(
                output.stderr.contains(word),
                "{text}: no {word} in {}",
                output.stderr
            );
        }
    }
    Ok(())
}

/// What `up` would refuse, and the key to be named.
const REFUSED_BY_UP: [(&str, &str); 25] = [
    (
        "feature_store: {calendar: {country: ZZ}}",
        "feature_store.calendar.country",
    ),
    (
        "feature_store: {calendar: {timezone: Mars/Base}}",
        "feature_store.calendar.timezone",
    ),
    (
        "orchestrator: {calendar: {schedules: {train: weekly}}}",
        "orchestrator.calendar.schedules.train",
    ),
    (
        "orchestrator: {calendar: {schedules: {tidy: '0 0 3 * * *'}}}",
        "orchestrator.calendar.schedules.tidy",
    ),
    (
        "ingestion: {log_analytics: {workspace_id: law-soc, identity: {kind: managed_identity}}}",
        "ingestion.log_analytics.workspace_id",
    ),
    (
        "ingestion: {log_analytics: {workspace_id: 11111111-1111-1111-1111-111111111111, identity: {kind: managed_identity}}, files: {locations: [{url: x}]}}",
        "ingestion.files",
    ),
    (
        "ingestion: {pseudonym_key: short, files: {locations: [{url: x}]}}",
        "ingestion.pseudonym_key",
    ),
    (
        "ingestion: {files: {locations: [{url: 'az://exports'}]}}",
        "ingestion.files.locations[0].url",
    ),
    (
        "ingestion: {log_analytics: {workspace_id: 11111111-1111-1111-1111-111111111111, identity: {tenant: 'a b', client_id: c, client_secret: s}}}",
        "ingestion.log_analytics.identity",
    ),
    (
        "ingestion: {log_analytics: {workspace_id: 11111111-1111-1111-1111-111111111111, identity: {tenant: a.example, client_id: c, client_secret: ''}}}",
        "client_secret",
    ),
    (
        "use_cases: [{id: a, description: d, model: forecast, series: {measure: incidents}, feature_view: mine, horizon_hours: 24}]",
        "use_cases[0]",
    ),
    (
        "use_cases: [{id: a, description: d, model: ranking, series: {measure: incidents}, feature_view: attack_volume_hourly, horizon_hours: 24}]",
        "use_cases[0]",
    ),
    (
        "auditor: {initial_phases: {geo_risk: assisted}}",
        "auditor.initial_phases.geo_risk",
    ),
    ("auditor: {write_back: {}}", "auditor.write_back.rule"),
    (
        "auditor: {audit: {signing_key: mine}}",
        "auditor.audit.signing_key",
    ),
    (
        "scorer: {write_back: {rule: {endpoint: 'https://x.example', dcr_immutable_id: dcr-1}, identity: {kind: managed_identity}}}",
        "scorer.write_back.rule.dcr_immutable_id",
    ),
    ("scorer: {valid_for_hours: 0}", "scorer.valid_for_hours"),
    (
        "scorer: {watchlist: {workspace: {subscription_id: mine, resource_group: rg, workspace: law-soc}, identity: {kind: managed_identity}}}",
        "scorer.watchlist.workspace.subscription_id",
    ),
    (
        "broker: {teams: {webhook_url: ''}}",
        "broker.teams.webhook_url",
    ),
    (
        "broker: {planning_incidents: {mode: direct, workspace: {subscription_id: mine, resource_group: rg, workspace: law-soc}, identity: {kind: managed_identity}}}",
        "broker.planning_incidents.workspace",
    ),
    (
        "trainer: {mlflow: {url: 'http://mlflow:5000', token: ''}}",
        "trainer.mlflow.token",
    ),
    ("console: {session_minutes: 0}", "console.session_minutes"),
    ("identity: {service_token: ' '}", "identity.service_token"),
    ("lake: {url: 'az://lake'}", "lake.url"),
    (
        "content: {workspace: {subscription_id: mine, resource_group: rg, workspace: law-soc}, identity: {kind: managed_identity}, location: westeurope}",
        "content.workspace.subscription_id",
    ),
];

#[tokio::test]
async fn config_check_refuses_what_up_refuses_and_says_it_once() -> anyhow::Result<()> {
    for (text, key) in REFUSED_BY_UP {
        let output = with_config(text).await?;
        assert_eq!(output.code, 78, "{text}: {}", output.stderr);
        let said = output.stderr.trim();
        assert!(said.contains("foretide.yaml"), "{said}");
        assert_eq!(said.matches(key).count(), 1, "{text}: {key} once in {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn help_is_there_for_every_command() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for command in [
        vec!["demo"],
        vec!["up"],
        vec!["serve"],
        vec!["run"],
        vec!["forecast"],
        vec!["anomalies"],
        vec!["backtest"],
        vec!["staffing"],
        vec!["migrate"],
        vec!["backfill"],
        vec!["backfill", "plan"],
        vec!["backfill", "retry"],
        vec!["audit", "verify"],
        vec!["audit", "witness"],
        vec!["actions", "approve"],
        vec!["actions", "reject"],
        vec!["runs", "show"],
        vec!["jobs", "retry"],
        vec!["pseudonyms", "resolve"],
        vec!["pseudonyms", "drop-epoch"],
        vec!["config", "check"],
        vec!["version"],
    ] {
        let mut line = command.clone();
        line.push("--help");
        let output = foretide(folder.path(), line).await?.success()?;
        assert!(output.stdout.contains("Usage:"), "{command:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mistyped_command_is_a_usage_error() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let output = foretide(folder.path(), ["forcast"]).await?;
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("forecast"), "{}", output.stderr);
    Ok(())
}
