//! `content`: what Foretide lays out in the workspace.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use foretide_api::governance::v1::GetPhaseRequest;
use foretide_domain::{Phase, SharedClock, UseCaseId};
use foretide_entra::{Cloud, IdentityConfig, IdentityTokens};
use foretide_http::ClientOptions;
use foretide_sentinel_arm::{ArmClient, WorkspaceConfig};
use foretide_sentinel_content::{
    Change, Delivery, Difference, PackOptions, Plan, PlanStep, Playbook,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{CallerArgs, Format, OutputArgs};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{print, printable};

#[derive(Debug, Subcommand)]
pub(crate) enum ContentCommand {
    /// Say what would be added, changed and removed. Writes nothing.
    Plan {
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Lay it out: tables, rules, hunting queries, workbook. Again changes nothing. A rule that somebody
    /// switched off stays as it is.
    Apply {
        /// Name or title of a switched-off rule that is put right nonetheless; may be repeated.
        #[arg(long, value_name = "RULE")]
        also: Vec<String>,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Take away what Foretide laid out, and nothing else.
    Remove {
        /// Tables too, with every row in them.
        #[arg(long)]
        with_data: bool,
    },
    /// Write the solution package in the layout of the Azure-Sentinel repository.
    Export {
        /// Folder to write to.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// The `content` section: which workspace, as whom, and how far.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContentConfig {
    /// The workspace, as Azure Resource Manager names it.
    pub workspace: WorkspaceConfig,
    /// Who lays it out: Microsoft Sentinel Contributor, Log Analytics Contributor, Monitoring
    /// Contributor and Workbook Contributor.
    pub identity: IdentityConfig,
    /// Region of the workspace.
    pub location: String,
    /// How far Foretide may go there; automation rules that need more are held back. The auditor is
    /// asked when it is left out.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// Use case whose phase counts: the one whose windows the rules watch.
    #[serde(default = "windows_use_case")]
    pub use_case: UseCaseId,
    /// `direct`, or `endpoint` for private link.
    #[serde(default)]
    pub delivery: Delivery,
    /// Days that Foretide's rows are kept.
    #[serde(default = "usual_retention")]
    pub retention_days: u16,
    /// Playbook that tells people about predicted surges.
    #[serde(default)]
    pub notify: Option<Playbook>,
}

impl ContentConfig {
    /// Checks what types alone cannot.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let workspace = self.workspace.validate();
        workspace.map_err(|error| format!("workspace.{error}"))?;
        let days = self.retention_days;
        if !(30..=4_383).contains(&days) {
            return Err(format!(
                "retention_days must be from 30 to 4383, got {days}"
            ));
        }
        Ok(())
    }
}

fn windows_use_case() -> UseCaseId {
    "risk_period".parse().expect("a use case's name")
}

fn usual_retention() -> u16 {
    400
}

pub(super) async fn run(command: ContentCommand, config: &Config) -> anyhow::Result<()> {
    if let ContentCommand::Export { dir } = command {
        return export(&dir);
    }
    let Some(content) = config.content.clone() else {
        bail!("the configuration has no section content: it says which workspace and as whom");
    };
    match command {
        ContentCommand::Plan { output, caller } => {
            let phase = phase(&content, config, &caller).await?;
            let (client, options) = open(content, phase, config.clock())?;
            let plan = Plan::make(&client, &options).await?;
            show(&plan, output.format)
        }
        ContentCommand::Apply { also, caller } => {
            let phase = phase(&content, config, &caller).await?;
            let (client, options) = open(content, phase, config.clock())?;
            let mut plan = Plan::make(&client, &options).await?;
            for rule in &also {
                plan.include(rule)?;
            }
            show(&plan, Format::Table)?;
            carry_out(&client, &plan).await?;
            show_way_in(&client).await
        }
        ContentCommand::Remove { with_data } => {
            // what is ours goes, whatever the phase
            let (client, options) = open(content, Phase::Shadow, config.clock())?;
            let plan = Plan::removal(&client, &options, with_data).await?;
            show(&plan, Format::Table)?;
            carry_out(&client, &plan).await
        }
        ContentCommand::Export { .. } => Ok(()),
    }
}

/// The configured phase, or the one that the auditor knows. Without either nothing is planned: taking
/// shadow for granted would remove what a phase has brought.
async fn phase(
    content: &ContentConfig,
    config: &Config,
    caller: &CallerArgs,
) -> anyhow::Result<Phase> {
    if let Some(phase) = content.phase {
        return Ok(phase);
    }
    let asking = "the phase is asked of the auditor unless content.phase says it";
    let peers = connection::open(config, caller, "operator").context(asking)?;
    let request = GetPhaseRequest {
        use_case: content.use_case.to_string(),
    };
    let answer = peers.auditor().get_phase(request).await;
    let state = answer
        .map_err(|status| plainly(&status))
        .context(asking)?
        .into_inner()
        .state
        .unwrap_or_default();
    foretide_api::phase("phase", state.phase)
        .map_err(anyhow::Error::new)
        .context(asking)
}

fn open(
    content: ContentConfig,
    phase: Phase,
    clock: SharedClock,
) -> anyhow::Result<(ArmClient, PackOptions)> {
    let http = foretide_http::client(&ClientOptions::default())?;
    let identity = &content.identity;
    let mut workspace = content.workspace;
    workspace.endpoint = identity.endpoint(&workspace.endpoint, Cloud::resource_manager_endpoint);
    workspace.audience = identity.audience(&workspace.audience, Cloud::resource_manager_audience);
    let tokens = IdentityTokens::new(content.identity, http.clone(), Arc::clone(&clock))
        .context("content.identity")?;
    let client =
        ArmClient::new(workspace, http, Arc::new(tokens), clock).context("content.workspace")?;
    let options = PackOptions {
        phase,
        delivery: content.delivery,
        retention_days: content.retention_days,
        notify: content.notify,
        ..PackOptions::of(&client, &content.location)
    };
    Ok((client, options))
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::Add => "add",
        Change::Update(_) => "change",
        Change::Keep => "keep",
        Change::Remove => "remove",
        Change::Foreign => "refuse: not Foretide's",
        Change::SwitchedOff(_) => "leave: switched off",
    }
}

fn show(plan: &Plan, format: Format) -> anyhow::Result<()> {
    let does = |step: &&PlanStep| step.change != Change::Keep;
    let changes: Vec<Value> = plan.steps.iter().filter(does).map(as_json).collect();
    let held_back: Vec<Value> = plan
        .held_back
        .iter()
        .map(|held| json!({ "title": held.title, "needs": held.needs }))
        .collect();
    let rows = plan.steps.iter().filter(does).flat_map(|step| {
        let kind = step.kind.label().to_owned();
        let what = vec![word(&step.change).to_owned(), kind, step.title.clone()];
        let details = differences(&step.change).iter().map(|one| {
            let from_to = format!("{}: {} -> {}", one.path, one.before, one.after);
            vec![String::new(), String::new(), from_to]
        });
        std::iter::once(what).chain(details).collect::<Vec<_>>()
    });
    let whole = json!({ "changes": changes, "held_back": held_back });
    if format == Format::Json || !changes.is_empty() {
        print(format, &whole, &["", "what", "which"], rows)?;
    }
    if format == Format::Table {
        show_summary(plan);
    }
    Ok(())
}

/// What is otherwise than declared, whether or not it is put right.
fn differences(change: &Change) -> &[Difference] {
    match change {
        Change::Update(found) => found,
        Change::SwitchedOff(wanted) => differences(wanted),
        _ => &[],
    }
}

fn as_json(step: &PlanStep) -> Value {
    let differences: Vec<Value> = differences(&step.change)
        .iter()
        .map(|one| json!({ "path": one.path, "before": one.before, "after": one.after }))
        .collect();
    json!({
        "change": word(&step.change),
        "kind": step.kind,
        "name": step.name,
        "title": step.title,
        "differences": differences,
    })
}

fn show_summary(plan: &Plan) {
    for held in &plan.held_back {
        println!("waits for {}: {}", held.needs, printable(&held.title));
    }
    let left = plan.switched_off().count();
    for step in plan.switched_off() {
        let title = printable(&step.title);
        println!(
            "left as it is, because somebody switched it off: {title} (apply --also \"{title}\" puts it right)"
        );
    }
    let kept = plan.steps.len() - plan.changes() - left;
    println!("{} changes, {kept} as declared", plan.changes());
}

async fn carry_out(client: &ArmClient, plan: &Plan) -> anyhow::Result<()> {
    if plan.is_empty() {
        return Ok(());
    }
    let told = |step: &PlanStep| {
        println!("done: {} {}", word(&step.change), printable(&step.title));
    };
    let done = plan.apply(client, told).await?;
    println!("{done} changes made");
    Ok(())
}

/// Where rows go from now on: what `scorer.write_back.rule` needs.
async fn show_way_in(client: &ArmClient) -> anyhow::Result<()> {
    let way_in = foretide_sentinel_content::way_in(client).await?;
    let Some(way_in) = way_in else { return Ok(()) };
    println!("\nscorer and auditor write there with:");
    println!("  write_back:");
    println!("    surge_stream: Custom-Predicted_Attack_Surge_CL # the scorer only");
    println!(
        "    rule: {{ endpoint: {}, dcr_immutable_id: {} }}",
        printable(&way_in.endpoint),
        printable(&way_in.rule)
    );
    Ok(())
}

fn export(dir: &Path) -> anyhow::Result<()> {
    let files = foretide_sentinel_content::solution()?;
    for file in &files {
        let path = dir.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, &file.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{} files below {}", files.len(), dir.display());
    Ok(())
}
