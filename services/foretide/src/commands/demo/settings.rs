//! The configuration of the demo, written as a file so that other commands can use it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use foretide_emulator::{EmulatorConfig, EmulatorHandle};
use foretide_synthetic_workspace::PlantedEvent;
use serde_json::{Value, json};

use super::contoso::{COUNTRY, Contoso};
use crate::cli::DemoArgs;

/// The data folder below the demo's.
pub(super) const DATA: &str = "data";

/// Writes `foretide.yaml` into the demo's folder.
pub(super) fn write(
    args: &DemoArgs,
    contoso: &Contoso,
    emulator: &EmulatorHandle,
) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(&args.data_dir)?;
    let settings = settings(&folder, args, contoso, emulator);
    let path = folder.join("foretide.yaml");
    let text = serde_norway::to_string(&settings)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn settings(folder: &Path, args: &DemoArgs, contoso: &Contoso, emulator: &EmulatorHandle) -> Value {
    let write_back = |stream: &str| {
        json!({
            "rule": { "endpoint": emulator.base_url(), "dcr_immutable_id": EmulatorConfig::RULE_ID },
            "stream": stream,
            "identity": {
                "authority": emulator.base_url(),
                "tenant": EmulatorConfig::TENANT,
                "client_id": "foretide-demo",
                "client_secret": "the emulator takes any",
            },
        })
    };
    json!({
        "data_dir": folder.join(DATA),
        "listen": {
            "console": args.console_port, "ingestion": 0, "feature_store": 0, "trainer": 0,
            "scorer": 0, "auditor": 0, "broker": 0, "orchestrator": 0,
        },
        "ingestion": {
            "files": { "locations": [{ "url": folder.join("workspace") }] },
            "state_folder": folder.join(DATA),
        },
        "feature_store": {
            "calendar": {
                "country": COUNTRY,
                "timezone": contoso.time_zone(),
                "campaigns": announced(contoso.events()),
            },
        },
        "scorer": { "write_back": write_back("Custom-PredictiveAlerting_CL") },
        "auditor": {
            "initial_phases": { "risk_period": "assisted" },
            "write_back": write_back("Custom-AI_Governance_CL"),
        },
        "broker": { "teams": { "webhook_url": emulator.teams_webhook_url() } },
        "orchestrator": { "calendar": { "enabled": false } },
    })
}

/// The exercises the SOC was told of: those stand in its calendar, and nothing else does.
fn announced(events: &[PlantedEvent]) -> Vec<Value> {
    let announced = events.iter().filter(|event| event.is_announced());
    announced
        .map(
            |event| json!({ "name": event.name, "start": event.span.start, "end": event.span.end }),
        )
        .collect()
}
