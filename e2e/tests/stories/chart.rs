//! Every pod of the chart is hardened, and Foretide takes the configuration the chart writes.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, ensure};
use foretide_test_support::{
    foretide, foretide_binary, repository_root, require_counterparts, tools_dir,
};
use serde_norway::Value;

fn render(values: Option<&str>) -> anyhow::Result<Option<Vec<Value>>> {
    let helm: PathBuf = tools_dir().join("helm/helm");
    if !helm.is_file() && !require_counterparts() {
        eprintln!("skipped: Helm is not there: run `cargo xtask setup`");
        return Ok(None);
    }
    let chart = repository_root().join("charts/foretide");
    let mut command = Command::new(helm);
    command.args(["template", "soc"]).arg(&chart);
    if let Some(file) = values {
        command.arg("--values").arg(chart.join("ci").join(file));
    }
    let output = command.output().context("cannot run helm")?;
    ensure!(
        output.status.success(),
        "helm template failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let manifests = String::from_utf8(output.stdout)?;
    let mut documents = Vec::new();
    for document in serde_norway::Deserializer::from_str(&manifests) {
        let value: Value = serde::Deserialize::deserialize(document)?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(Some(documents))
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents
        .iter()
        .filter(|document| document["kind"] == *kind)
        .collect()
}

#[test]
fn every_pod_is_hardened_probed_and_bounded() -> anyhow::Result<()> {
    for values in [None, Some("workload-identity.yaml")] {
        let Some(documents) = render(values)? else {
            return Ok(());
        };
        let deployments = of_kind(&documents, "Deployment");
        assert_eq!(deployments.len(), 8);
        assert_eq!(of_kind(&documents, "Service").len(), 8);
        for deployment in deployments {
            let name = deployment["metadata"]["name"].as_str().context("no name")?;
            let pod = &deployment["spec"]["template"]["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{name}"
            );
            let containers = pod["containers"].as_sequence().context("no containers")?;
            for container in containers {
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
                assert!(
                    container["resources"]["limits"]["memory"].is_string(),
                    "{name}"
                );
                assert!(
                    container["resources"]["requests"]["cpu"].is_string(),
                    "{name}"
                );
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    assert!(container[probe].is_mapping(), "{name} has no {probe}");
                }
            }
        }
    }
    Ok(())
}

/// The environment of a pod, with what the chart itself gives it or takes from this Secret.
fn variables_of<'a>(
    deployment: &'a Value,
    secret: &'a Value,
) -> anyhow::Result<Vec<(&'a str, &'a str)>> {
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let variables = containers[0]["env"].as_sequence().context("no variables")?;
    let variables = variables.iter().map(|variable| {
        let key = &variable["valueFrom"]["secretKeyRef"]["key"];
        let value = key.as_str().map_or(&variable["value"], |key| &secret[key]);
        let name = variable["name"].as_str().context("no name")?;
        let value = value
            .as_str()
            .with_context(|| format!("no value of {name}"))?;
        Ok((name, value))
    });
    variables.collect()
}

#[tokio::test]
async fn every_pod_takes_the_configuration_the_chart_writes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = foretide(folder.path(), ["audit", "key", "--new", "soc"]).await?;
    let mut secret = Value::Mapping(serde_norway::Mapping::new());
    for (name, value) in [
        ("database-url", "postgres://user:password@database/foretide"),
        ("service-token", "a token of the services"),
        ("pseudonym-key", &"1".repeat(64)),
        ("audit-signing-key", key.success()?.stdout.trim()),
        ("teams-webhook-url", "https://contoso.example/webhook"),
    ] {
        secret[name] = value.into();
    }
    for values in [None, Some("workload-identity.yaml")] {
        let Some(documents) = render(values)? else {
            return Ok(());
        };
        let maps = of_kind(&documents, "ConfigMap");
        let written = maps[0]["data"]["foretide.yaml"]
            .as_str()
            .context("the ConfigMap holds no foretide.yaml")?;
        let file = folder.path().join("foretide.yaml");
        std::fs::write(&file, written)?;
        for deployment in of_kind(&documents, "Deployment") {
            let output = Command::new(foretide_binary()?)
                .args(["config", "check", "--config"])
                .arg(&file)
                .envs(variables_of(deployment, &secret)?)
                .output()?;
            ensure!(
                output.status.success(),
                "{values:?}, {:?}: {}",
                deployment["metadata"]["name"],
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}
