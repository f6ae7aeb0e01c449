//! `outbox`: what has not left a service, and what a person does about what was refused.

use clap::{Args, Subcommand, ValueEnum};
use foretide_api::outbox::v1::outbox_service_client::OutboxServiceClient;
use foretide_api::outbox::v1::{
    DropItemRequest, Item, ItemCount, ListItemsRequest, RetryItemRequest,
};
use foretide_service_runtime::{AuthedChannel, Peers};
use serde::Serialize;

use crate::cli::{CallerArgs, Format, OutputArgs};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable};

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// What waits, and what was refused and is not sent again until a person says so.
    List {
        /// Only that of this service.
        #[arg(long, value_enum, value_name = "SERVICE")]
        service: Option<Sender>,
        /// Only what waits, or only what was refused.
        #[arg(long, value_enum)]
        state: Option<Undelivered>,
        /// How many of each channel at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Have something that was refused sent again. Is audited.
    Retry(Decision),
    /// Give up something that was refused. Is audited.
    Drop(Decision),
}

#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// Whose outbox it is in.
    #[arg(value_enum)]
    service: Sender,
    /// Its key, as `list` shows it.
    key: String,
    /// Its channel; needed only when several have something refused of the key.
    #[arg(long, default_value = "")]
    channel: String,
    #[command(flatten)]
    caller: CallerArgs,
}

/// A service that sends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sender {
    /// Rows of evaluations.
    Auditor,
    /// Audit events of proposals.
    Broker,
    /// Rows of forecasts and predicted windows, audit events.
    Scorer,
    /// Model versions for MLflow.
    Trainer,
}

/// Why something has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Undelivered {
    /// It is sent, or tried again later.
    Waiting,
    /// It is not sent again by itself.
    Refused,
}

fn value_name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn client_of(peers: &Peers, sender: Sender) -> anyhow::Result<OutboxServiceClient<AuthedChannel>> {
    let client = peers.outbox_of(&value_name(&sender));
    client.ok_or_else(|| anyhow::anyhow!("{} sends nothing", value_name(&sender)))
}

/// An item and whose it is.
#[derive(Serialize)]
struct Listed {
    service: String,
    #[serde(flatten)]
    item: Item,
}

pub(super) async fn run(command: OutboxCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        OutboxCommand::List {
            service,
            state,
            limit,
            output,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            let request = ListItemsRequest {
                channel: String::new(),
                state: state.as_ref().map(value_name).unwrap_or_default(),
                limit,
            };
            list(&peers, service, request, output.format).await
        }
        OutboxCommand::Retry(decision) => {
            let peers = connection::open(config, &decision.caller, "operator")?;
            let Decision { key, channel, .. } = decision;
            let request = RetryItemRequest { channel, key };
            let mut client = client_of(&peers, decision.service)?;
            let answer = client.retry_item(request).await;
            let item = answer.map_err(|status| plainly(&status))?;
            tell(item.into_inner().item, "is sent again")
        }
        OutboxCommand::Drop(decision) => {
            let peers = connection::open(config, &decision.caller, "operator")?;
            let Decision { key, channel, .. } = decision;
            let request = DropItemRequest { channel, key };
            let mut client = client_of(&peers, decision.service)?;
            let answer = client.drop_item(request).await;
            let item = answer.map_err(|status| plainly(&status))?;
            tell(item.into_inner().item, "is given up")
        }
    }
}

fn tell(item: Option<Item>, what: &str) -> anyhow::Result<()> {
    let item = item.unwrap_or_default();
    println!("{} of {} {what}", printable(&item.key), item.channel);
    Ok(())
}

async fn list(
    peers: &Peers,
    service: Option<Sender>,
    request: ListItemsRequest,
    format: Format,
) -> anyhow::Result<()> {
    let senders = service.map_or_else(|| Sender::value_variants().to_vec(), |one| vec![one]);
    let (mut items, mut more) = (Vec::new(), Vec::new());
    for sender in senders {
        let answer = client_of(peers, sender)?.list_items(request.clone()).await;
        let listed = answer.map_err(|status| plainly(&status))?.into_inner();
        let limit = u64::from(request.limit);
        let beyond = listed.counts.into_iter().filter(|one| one.items > limit);
        more.extend(beyond.map(|count| (sender, count)));
        items.extend(listed.items.into_iter().map(|item| Listed {
            service: value_name(&sender),
            item,
        }));
    }
    let rows = items.iter().map(|Listed { service, item }| {
        vec![
            minute(item.created_at),
            service.clone(),
            item.channel.clone(),
            item.key.clone(),
            item.state.clone(),
            item.attempts.to_string(),
            item.reason.clone(),
        ]
    });
    let header = [
        "since (UTC)",
        "service",
        "channel",
        "key",
        "state",
        "tries",
        "problem",
    ];
    print(format, &items, &header, rows)?;
    if format == Format::Table {
        for (sender, count) in more {
            let ItemCount {
                channel,
                state,
                items,
            } = count;
            println!(
                "{}: {items} of {channel} are {state}; --limit shows more",
                value_name(&sender)
            );
        }
    }
    Ok(())
}
