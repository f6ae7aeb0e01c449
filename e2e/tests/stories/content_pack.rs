//! What Foretide lays out in a Sentinel workspace, by the real binary.

use std::path::Path;

use anyhow::{Context, ensure};
use foretide_e2e::clock;
use foretide_emulator::{ArmConfig, Emulator, EmulatorConfig, EmulatorHandle};
use foretide_http::ClientOptions;
use foretide_test_support::{ForetideOutput, foretide};
use serde_json::{Value, json};

const RULES: &str = "Microsoft.SecurityInsights/alertRules";
const AUTOMATION: &str = "Microsoft.SecurityInsights/automationRules";
const TABLES: &str = "Microsoft.OperationalInsights/workspaces/tables";

struct Sentinel {
    azure: EmulatorHandle,
    folder: tempfile::TempDir,
}

impl Sentinel {
    async fn new() -> anyhow::Result<Self> {
        let azure = Emulator::start(EmulatorConfig::default(), clock().shared()).await?;
        let sentinel = Self {
            azure,
            folder: tempfile::tempdir()?,
        };
        sentinel.in_phase("shadow")?;
        Ok(sentinel)
    }

    fn in_phase(&self, phase: &str) -> anyhow::Result<()> {
        let arm = ArmConfig::default();
        let config = json!({ "simulated_time": clock().setting(), "content": {
            "workspace": {
                "endpoint": self.azure.base_url(),
                "subscription_id": arm.subscription_id,
                "resource_group": arm.resource_group,
                "workspace": arm.workspace,
            },
            "identity": {
                "authority": self.azure.base_url(),
                "tenant": EmulatorConfig::TENANT,
                "client_id": "00000000-0000-4000-8000-0000000000aa",
                "client_secret": "the emulator takes any secret",
            },
            "location": "westeurope",
            "phase": phase,
        }});
        // JSON is YAML.
        let text = serde_json::to_string(&config)?;
        Ok(std::fs::write(
            self.folder.path().join("foretide.yaml"),
            text,
        )?)
    }

    async fn content(&self, words: &[&str]) -> anyhow::Result<ForetideOutput> {
        let mut line = vec!["--config", "foretide.yaml", "content"];
        line.extend(words);
        foretide(self.folder.path(), line).await?.success()
    }

    async fn plan(&self) -> anyhow::Result<Value> {
        let output = self.content(&["plan", "--format", "json"]).await?;
        Ok(serde_json::from_str(&output.stdout)?)
    }

    fn count(&self, resource_type: &str) -> usize {
        self.azure.arm_resources(resource_type).len()
    }

    fn writes(&self) -> usize {
        let requests = self.azure.requests("/subscriptions/");
        requests.iter().filter(|one| one.method != "GET").count()
    }

    /// What a person does in the portal.
    async fn edit_a_rule_by_hand(&self) -> anyhow::Result<String> {
        let http = foretide_http::client(&ClientOptions::default())?;
        let token_address = format!(
            "{}/{}/oauth2/v2.0/token",
            self.azure.base_url(),
            EmulatorConfig::TENANT
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "a-person"),
            ("client_secret", "any"),
            ("scope", "https://management.azure.com/.default"),
        ];
        let token: Value = http
            .post(token_address)
            .form(&form)
            .send()
            .await?
            .json()
            .await?;
        let token = token["access_token"].as_str().context("a token")?;
        let mut rule = self.azure.arm_resources(RULES).remove(0);
        rule["properties"]["severity"] = json!("High");
        let address = format!(
            "{}{}?api-version=2025-09-01",
            self.azure.base_url(),
            rule["id"].as_str().context("an id")?
        );
        let body = json!({ "kind": rule["kind"], "properties": rule["properties"] });
        let answer = http
            .put(address)
            .bearer_auth(token)
            .json(&body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        Ok(rule["properties"]["displayName"]
            .as_str()
            .context("a name")?
            .to_owned())
    }
}

fn changes(plan: &Value) -> &[Value] {
    plan["changes"].as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_planned_applied_mended_and_removed() -> anyhow::Result<()> {
    let sentinel = Sentinel::new().await?;
    let first = sentinel.plan().await?;
    ensure!(changes(&first).len() == 16, "{first:#}");
    ensure!(sentinel.writes() == 0, "a plan wrote something");

    let applied = sentinel.content(&["apply"]).await?;
    ensure!(
        applied.stdout.contains("16 changes made"),
        "{}",
        applied.stdout
    );
    ensure!(
        applied.stdout.contains("dcr_immutable_id: dcr-"),
        "{}",
        applied.stdout
    );
    ensure!(sentinel.count(TABLES) == 4 && sentinel.count(RULES) == 5);
    ensure!(sentinel.count(AUTOMATION) == 0, "automation in shadow");

    let writes = sentinel.writes();
    let second = sentinel.plan().await?;
    ensure!(changes(&second).is_empty(), "{second:#}");
    let again = sentinel.content(&["apply"]).await?;
    ensure!(
        again.stdout.contains("0 changes, 16 as declared"),
        "{}",
        again.stdout
    );
    ensure!(
        sentinel.writes() == writes,
        "nothing to do, yet something was written"
    );

    let edited = sentinel.edit_a_rule_by_hand().await?;
    let drift = sentinel.content(&["plan"]).await?;
    ensure!(drift.stdout.contains(&edited), "{}", drift.stdout);
    ensure!(
        drift.stdout.contains("properties.severity: High -> "),
        "{}",
        drift.stdout
    );
    sentinel.content(&["apply"]).await?;
    ensure!(changes(&sentinel.plan().await?).is_empty());

    sentinel.content(&["remove"]).await?;
    ensure!(
        sentinel.count(RULES) == 0 && sentinel.count(TABLES) == 4,
        "rows are data"
    );
    sentinel.content(&["remove", "--with-data"]).await?;
    ensure!(sentinel.count(TABLES) == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_brings_its_automation_rules_and_takes_them_back() -> anyhow::Result<()> {
    let sentinel = Sentinel::new().await?;
    sentinel.in_phase("proactive")?;
    sentinel.content(&["apply"]).await?;
    ensure!(sentinel.count(AUTOMATION) == 3);
    for rule in sentinel.azure.arm_resources(AUTOMATION) {
        ensure!(!rule.to_string().contains("Closed"), "{rule:#}");
    }
    sentinel.in_phase("shadow")?;
    let back = sentinel.content(&["apply"]).await?;
    ensure!(sentinel.count(AUTOMATION) == 0, "{}", back.stdout);
    ensure!(
        back.stdout.contains("waits for assisted"),
        "{}",
        back.stdout
    );
    Ok(())
}

#[tokio::test]
async fn the_solution_package_needs_no_workspace() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    foretide(folder.path(), ["content", "export", "--dir", "out"])
        .await?
        .success()?;
    let package = folder.path().join("out/Solutions/Foretide");
    for file in [
        "Package/mainTemplate.json",
        "Analytic Rules/predicted-attack-surge.yaml",
        "Workbooks/Foretide.json",
    ] {
        ensure!(Path::new(&package).join(file).is_file(), "no {file}");
    }
    let output = foretide(folder.path(), ["content", "plan"]).await?;
    ensure!(
        output.code == 1 && output.stderr.contains("section content"),
        "{}",
        output.stderr
    );
    Ok(())
}
