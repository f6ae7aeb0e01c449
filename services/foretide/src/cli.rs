//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use foretide_audit_chain::VerifierKey;
use foretide_file_commands::FileCommand;

use crate::commands::backfill::BackfillCommand;
use crate::commands::content::ContentCommand;
use crate::commands::outbox::OutboxCommand;
use crate::commands::pseudonyms::PseudonymsCommand;
use crate::commands::write_back::WriteBackCommand;
use crate::services::ServiceName;

/// Predictive alerting for Microsoft Sentinel: forecasts what the SOC will face in the next days,
/// says how sure it is, and proposes actions that people approve.
#[derive(Debug, Parser)]
#[command(name = "foretide", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Configuration file (YAML). Without it everything is embedded: SQLite, a local lake.
    #[arg(
        long,
        short,
        global = true,
        env = "FORETIDE_CONFIG",
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,

    /// Log filter, e.g. `info` or `warn,foretide_scorer=debug`.
    #[arg(long, global = true, env = "FORETIDE_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it all on a synthetic workspace: no accounts, no other service, no network.
    Demo(DemoArgs),
    /// Run all services in this process.
    Up(UpArgs),
    /// Run one service.
    Serve {
        /// Which one.
        service: ServiceName,
    },
    /// Run the six steps now: ingest, features, train (when due), score, audit, act.
    Run(RunArgs),
    #[command(flatten)]
    Files(FileCommand),
    /// Run an Azure of one's own on loopback: Entra ID, Log Analytics, Logs Ingestion, Sentinel, Teams.
    Emulator(EmulatorArgs),
    /// Create or update every service's tables.
    Migrate,
    /// Read the past. Without a subcommand: all the source has, now, as a run. With one: a span that
    /// is quoted first, and can be paused, resumed and retried.
    #[command(args_conflicts_with_subcommands = true)]
    Backfill {
        #[command(subcommand)]
        command: Option<BackfillCommand>,
        #[command(flatten)]
        args: RunArgs,
    },
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Proposed actions, for people to approve or reject.
    #[command(subcommand)]
    Actions(ActionsCommand),
    /// Runs of the pipeline, their steps, states and timings.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Queries of the workspace: what they cost, and how complete their answers are.
    #[command(subcommand)]
    Queries(QueriesCommand),
    /// Jobs that could not be done.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// How far each use case may go.
    #[command(subcommand)]
    Phase(PhaseCommand),
    /// How right the forecasts and warnings were, and what the gate of each use case says.
    TrackRecord {
        /// Only this use case; all otherwise.
        use_case: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Tables, rules, hunting queries and the workbook in the Sentinel workspace.
    #[command(subcommand)]
    Content(ContentCommand),
    /// Rows written back: what the workspace accepted, and what was taken back.
    #[command(subcommand)]
    WriteBack(WriteBackCommand),
    /// What has not left a service: what waits, what was refused, sending it again, giving it up.
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Names behind pseudonyms: who is told is audited; keys, and how names go for good.
    #[command(subcommand)]
    Pseudonyms(PseudonymsCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version and what it was built for.
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Exit after the run and the replay instead of keeping the console up.
    #[arg(long)]
    pub once: bool,
    /// Seed of the synthetic workspace: the same seed gives the same rows.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Days of history before the first forecast.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(14..=400))]
    pub days: u16,
    /// Days replayed on the simulated clock after it.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(0..=28))]
    pub replay_days: u16,
    /// Folder for everything the demo writes. What an earlier demo left there is replaced.
    #[arg(long, default_value = ".foretide/demo", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Port of the console; 0 takes any free one.
    #[arg(long, default_value_t = 7700)]
    pub console_port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Do not start runs by the calendar; only by hand.
    #[arg(long)]
    pub no_calendar: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Only this use case; all configured ones otherwise.
    #[arg(long)]
    pub use_case: Option<String>,
    /// The moment the run counts as (RFC 3339); now otherwise.
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<chrono::DateTime<chrono::Utc>>,
    /// Train even if the champion is fresh.
    #[arg(long)]
    pub train: bool,
    #[command(flatten)]
    pub caller: CallerArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CallerArgs {
    /// Bearer token of the person who calls.
    #[arg(long, env = "FORETIDE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Call as one of the local people of the embedded set-up (`operator`, `approver`).
    #[arg(long = "as", value_name = "NAME", conflicts_with = "token")]
    pub person: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// How many at most.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub caller: CallerArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the log: of the running auditor, or of an exported file, offline.
    Verify {
        /// An exported file (NDJSON); needs no running service.
        #[arg(long, alias = "file", value_name = "FILE")]
        export: Option<PathBuf>,
        /// A head of the chain kept elsewhere, as `verify` prints it: finds a cut tail.
        #[arg(long, value_name = "SEQUENCE:HASH")]
        head: Option<String>,
        #[command(flatten)]
        kept: KeptArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Write the whole chain to a file (NDJSON).
    Export {
        /// Where to.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Writes the newest signed checkpoint there.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Print the key that the log's checkpoints are checked by.
    Key {
        /// Make a new private key of this name instead, for `auditor.audit.signing_key`.
        #[arg(long, value_name = "NAME")]
        new: Option<String>,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Watch, from another machine, that the log only grows, and sign what was seen. Ends with an error
    /// when the log shrank or forked.
    Witness(WitnessArgs),
    /// Print records, newest first.
    List {
        /// Only those of a run.
        #[arg(long)]
        run_id: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
}

/// What is known of the log from elsewhere.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeptArgs {
    /// A signed checkpoint: finds a cut tail and a rewritten log. May be given more than once.
    #[arg(long, value_name = "FILE", requires = "log_key")]
    pub checkpoint: Vec<PathBuf>,
    /// The state of a witness, a checkpoint with its signature: finds what checkpoint and log rewritten
    /// together hide.
    #[arg(long, value_name = "FILE", requires_all = ["log_key", "witness_key"])]
    pub witness: Option<PathBuf>,
    /// The log's key, as `audit key` printed it when the log was known to be good.
    #[arg(long, value_name = "KEY")]
    pub log_key: Option<VerifierKey>,
    /// The witness's key, as `audit witness` prints it.
    #[arg(long, value_name = "KEY")]
    pub witness_key: Option<VerifierKey>,
}

/// Whom a witness watches, and what it keeps.
#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// Address of the auditor; by the configuration when left out.
    #[arg(long, value_name = "URL")]
    pub server: Option<url::Url>,
    /// The log's key, as `audit key` prints it.
    #[arg(long, value_name = "KEY")]
    pub log_key: VerifierKey,
    /// Keeps the newest checkpoint that was seen, with the witness's signature.
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,
    /// The witness's own private key; made when it is not there.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Name of a key that is made.
    #[arg(long, default_value = "foretide-witness", value_name = "NAME")]
    pub name: String,
    /// Look once and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub every: u64,
    #[command(flatten)]
    pub caller: CallerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// List proposals, newest first.
    List(ListArgs),
    /// Show one, with exactly what would be sent.
    Show {
        /// Its id.
        proposal_id: String,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Approve exactly what `show` prints, and do it. Never one's own proposal.
    Approve {
        /// Its id.
        proposal_id: String,
        /// Hash of the payload that was read; asked for and shown when left out.
        #[arg(long, value_name = "HASH")]
        payload_hash: Option<String>,
        /// Why.
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Reject it.
    Reject {
        /// Its id.
        proposal_id: String,
        /// Why.
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Propose a notice by hand, for somebody else to approve.
    Propose {
        /// Use case it belongs to.
        #[arg(long, default_value = "risk_period")]
        use_case: String,
        /// Headline.
        #[arg(long)]
        title: String,
        /// Text.
        #[arg(long)]
        message: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Engage the kill switch: nothing is executed until it is released.
    Halt {
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Release the kill switch.
    Resume {
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first.
    List(ListArgs),
    /// Show one with its steps.
    Show {
        /// Its id.
        run_id: String,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueriesCommand {
    /// What was spent today and this month, against the budget, and the latest queries.
    Costs(ListArgs),
    /// How late the rows of each table come in, and what share of the last hours is there.
    Completeness {
        /// The moment to judge from (RFC 3339); now otherwise.
        #[arg(long, value_name = "TIME")]
        as_of: Option<chrono::DateTime<chrono::Utc>>,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List dead letters: jobs that failed for good.
    List(ListArgs),
    /// Try a dead letter again.
    Retry {
        /// Its id.
        job_id: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PhaseCommand {
    /// List the phases.
    List(ListArgs),
    /// Change one. Raising needs the role approver.
    Set {
        /// Which use case.
        use_case: String,
        /// `shadow`, `assisted` or `proactive`.
        phase: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the file and say what is wrong with it.
    Check,
}

/// Where the emulator listens and what it knows (`docs/EMULATOR.md`).
#[derive(Debug, Args)]
pub(crate) struct EmulatorArgs {
    /// Its configuration (YAML): applications, identities, rules, delays.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to listen, e.g. `127.0.0.1:7800`; without it, on a free port.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// Where to listen with TLS as well, e.g. `127.0.0.1:7843`.
    #[arg(long, value_name = "ADDRESS")]
    pub https: Option<std::net::SocketAddr>,
    /// Writes the certificate authority there, for clients to trust; listens with TLS.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// A running `duckdb-kql serve --allow-write`, which runs queries.
    #[arg(long, value_name = "URL")]
    pub kql_engine: Option<url::Url>,
    /// The database that it serves.
    #[arg(long, value_name = "NAME", default_value = "workspace")]
    pub kql_database: String,
}
