//! `pseudonyms`: who stands behind them, and their keys.

use clap::{Subcommand, ValueEnum};
use foretide_api::ingestion::v1::{
    DropPseudonymEpochRequest, ErasePseudonymRequest, FindPseudonymsRequest, KnownPseudonym,
    ListPseudonymEpochsRequest, ListPseudonymsRequest, PseudonymEpoch, ResolvePseudonymRequest,
    ResolvePseudonymResponse, RotatePseudonymKeysRequest,
};

use crate::cli::{CallerArgs, Format, ListArgs, OutputArgs};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable};

#[derive(Debug, Subcommand)]
pub(crate) enum PseudonymsCommand {
    /// List pseudonyms, those met last first. No names.
    List {
        /// Only those of users, hosts or addresses.
        #[arg(long)]
        kind: Option<Kind>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the epochs of keys: since when each is in force, and how many names it holds.
    Epochs {
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Tell the name behind a pseudonym. Needs the role approver; every try is in the audit log.
    Resolve {
        /// E.g. `user-1-9f86d081884c7d65`.
        pseudonym: String,
        /// Why, in 8 to 500 characters; stands in the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Tell the pseudonyms of a name, as for a data subject's request. The name is not recorded.
    Find {
        /// What it names.
        kind: Kind,
        /// The name: `ada@contoso.example`, `ws01`, `198.51.100.7`; `-` reads it from standard
        /// input, so that it stands in no shell history.
        name: String,
        /// Why, in 8 to 500 characters; stands in the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Begin a new epoch of keys, with the next UTC day. What is known still resolves.
    Rotate {
        /// Begin it today. Today's distinct counts may then count an entity twice.
        #[arg(long)]
        at_once: bool,
        /// Why, in 8 to 500 characters; stands in the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Drop the keys of an epoch that is over, and every name it holds. It cannot be undone.
    DropEpoch {
        /// Its number, as `epochs` lists it.
        epoch: u32,
        /// The number again.
        #[arg(long, value_name = "EPOCH")]
        confirm: u32,
        /// Why, in 8 to 500 characters; stands in the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Erase the name behind a pseudonym, in all epochs; it is not learnt again. It cannot be undone.
    Erase {
        /// The pseudonym.
        pseudonym: String,
        /// The pseudonym again.
        #[arg(long, value_name = "PSEUDONYM")]
        confirm: String,
        /// Why, in 8 to 500 characters; stands in the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

/// What an identifier names.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    User,
    Host,
    Address,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Host => "host",
            Self::Address => "address",
        }
    }
}

pub(super) async fn run(command: PseudonymsCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        PseudonymsCommand::List { kind, list } => show_list(config, kind, &list).await,
        PseudonymsCommand::Epochs { output, caller } => show_epochs(config, &output, &caller).await,
        PseudonymsCommand::Resolve {
            pseudonym,
            reason,
            output,
            caller,
        } => {
            let request = ResolvePseudonymRequest { pseudonym, reason };
            resolve(config, request, &output, &caller).await
        }
        PseudonymsCommand::Find {
            kind,
            name,
            reason,
            output,
            caller,
        } => {
            let request = FindPseudonymsRequest {
                kind: kind.name().to_owned(),
                clear: given_or_read(name)?,
                reason,
            };
            find(config, request, &output, &caller).await
        }
        PseudonymsCommand::Rotate {
            at_once,
            reason,
            caller,
        } => {
            let request = RotatePseudonymKeysRequest { reason, at_once };
            rotate(config, request, &caller).await
        }
        PseudonymsCommand::DropEpoch {
            epoch,
            confirm,
            reason,
            caller,
        } => {
            let request = DropPseudonymEpochRequest {
                epoch,
                reason,
                confirm,
            };
            drop_epoch(config, request, &caller).await
        }
        PseudonymsCommand::Erase {
            pseudonym,
            confirm,
            reason,
            caller,
        } => {
            let request = ErasePseudonymRequest {
                pseudonym,
                reason,
                confirm,
            };
            erase(config, request, &caller).await
        }
    }
}

fn given_or_read(name: String) -> anyhow::Result<String> {
    if name == "-" {
        return Ok(std::io::read_to_string(std::io::stdin())?);
    }
    Ok(name)
}

async fn show_list(config: &Config, kind: Option<Kind>, list: &ListArgs) -> anyhow::Result<()> {
    let peers = connection::open(config, &list.caller, "operator")?;
    let request = ListPseudonymsRequest {
        kind: kind.map_or("", Kind::name).to_owned(),
        limit: list.limit,
    };
    let answer = peers.pseudonyms().list_pseudonyms(request).await;
    let known = answer.map_err(|status| plainly(&status))?.into_inner();
    print_known(list.output.format, &known.pseudonyms)
}

fn print_known(format: Format, known: &Vec<KnownPseudonym>) -> anyhow::Result<()> {
    let rows = known.iter().map(|known| {
        vec![
            known.pseudonym.clone(),
            known.table.clone(),
            minute(known.known_at),
            minute(known.erased_at),
        ]
    });
    let header = [
        "pseudonym",
        "first met in",
        "known since (UTC)",
        "erased (UTC)",
    ];
    print(format, known, &header, rows)
}

async fn show_epochs(
    config: &Config,
    output: &OutputArgs,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "operator")?;
    let request = ListPseudonymEpochsRequest {};
    let answer = peers.pseudonyms().list_pseudonym_epochs(request).await;
    let epochs = answer
        .map_err(|status| plainly(&status))?
        .into_inner()
        .epochs;
    let header = [
        "epoch",
        "from (UTC day)",
        "state",
        "names",
        "made by",
        "master key",
    ];
    print(
        output.format,
        &epochs,
        &header,
        epochs.iter().map(epoch_row),
    )
}

fn epoch_row(epoch: &PseudonymEpoch) -> Vec<String> {
    let state = match (epoch.dropped_at, epoch.is_in_force) {
        (Some(_), _) => format!(
            "dropped {} by {}",
            minute(epoch.dropped_at),
            epoch.dropped_by
        ),
        (None, true) => "in force".to_owned(),
        (None, false) => "kept".to_owned(),
    };
    vec![
        epoch.epoch.to_string(),
        epoch.starts_on.clone(),
        state,
        epoch.pseudonyms.to_string(),
        epoch.created_by.clone(),
        epoch.master_key.clone(),
    ]
}

async fn resolve(
    config: &Config,
    request: ResolvePseudonymRequest,
    output: &OutputArgs,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "approver")?;
    let answer = peers.pseudonyms().resolve_pseudonym(request).await;
    let resolved = answer.map_err(|status| plainly(&status))?.into_inner();
    let ResolvePseudonymResponse {
        known,
        clear,
        also_known_as,
        audit_sequence,
    } = &resolved;
    let known = known.clone().unwrap_or_default();
    let row = vec![
        known.pseudonym,
        printable(clear),
        also_known_as.join(" "),
        known.table,
        audit_sequence.to_string(),
    ];
    let header = [
        "pseudonym",
        "name",
        "also known as",
        "first met in",
        "audit record",
    ];
    print(output.format, &resolved, &header, [row])
}

async fn find(
    config: &Config,
    request: FindPseudonymsRequest,
    output: &OutputArgs,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "approver")?;
    let answer = peers.pseudonyms().find_pseudonyms(request).await;
    let found = answer.map_err(|status| plainly(&status))?.into_inner();
    print_known(output.format, &found.pseudonyms)
}

async fn rotate(
    config: &Config,
    request: RotatePseudonymKeysRequest,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "approver")?;
    let answer = peers.pseudonyms().rotate_pseudonym_keys(request).await;
    let answer = answer.map_err(|status| plainly(&status))?.into_inner();
    let epoch = answer.epoch.unwrap_or_default();
    println!(
        "epoch {} begins on {} (UTC); what is known still resolves",
        epoch.epoch, epoch.starts_on
    );
    Ok(())
}

async fn drop_epoch(
    config: &Config,
    request: DropPseudonymEpochRequest,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "approver")?;
    let epoch = request.epoch;
    let answer = peers.pseudonyms().drop_pseudonym_epoch(request).await;
    let erased = answer
        .map_err(|status| plainly(&status))?
        .into_inner()
        .erased;
    println!(
        "the keys of epoch {epoch} and {erased} names are gone; backups made before still hold them \
         (docs/SECURITY.md)"
    );
    Ok(())
}

async fn erase(
    config: &Config,
    request: ErasePseudonymRequest,
    caller: &CallerArgs,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "approver")?;
    let answer = peers.pseudonyms().erase_pseudonym(request).await;
    let erased = answer
        .map_err(|status| plainly(&status))?
        .into_inner()
        .erased;
    println!(
        "the name behind {} is gone and is not learnt again; backups made before still hold it \
         (docs/SECURITY.md)",
        erased.join(", ")
    );
    Ok(())
}
