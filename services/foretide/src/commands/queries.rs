//! `queries`: what the workspace was asked, what it cost, and how complete it was.

use foretide_api::ingestion::v1::{
    GetQueryCostsRequest, GetQueryCostsResponse, ListCompletenessRequest, QueryCost, QuerySpending,
    TableCompleteness,
};
use foretide_api::timestamp;

use crate::cli::{Format, QueriesCommand};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, size};

pub(super) async fn run(command: QueriesCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        QueriesCommand::Costs(list) => {
            let peers = connection::open(config, &list.caller, "operator")?;
            let request = GetQueryCostsRequest {
                since: None,
                limit: list.limit,
            };
            let answer = peers.ingestion().get_query_costs(request).await;
            let costs = answer.map_err(|status| plainly(&status))?.into_inner();
            if matches!(list.output.format, Format::Table) {
                println!("{}", spending(&costs));
            }
            print(
                list.output.format,
                &costs,
                &[
                    "asked (UTC)",
                    "statement",
                    "outcome",
                    "rows",
                    "scanned",
                    "ms",
                    "price",
                ],
                costs.queries.iter().map(query_row),
            )
        }
        QueriesCommand::Completeness {
            as_of,
            output,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            let request = ListCompletenessRequest {
                as_of: timestamp(as_of.unwrap_or_else(|| config.clock().now())),
                hours: 24,
            };
            let answer = peers.ingestion().list_completeness(request).await;
            let tables = answer
                .map_err(|status| plainly(&status))?
                .into_inner()
                .tables;
            print(
                output.format,
                &tables,
                &[
                    "table",
                    "half within",
                    "90%",
                    "99%",
                    "last hour",
                    "last 24 hours",
                ],
                tables.iter().map(completeness_row),
            )
        }
    }
}

/// Today and this month in a line each, and the limit that is reached.
fn spending(costs: &GetQueryCostsResponse) -> String {
    let budget = costs.budget.clone().unwrap_or_default();
    let line = |name, spent: Option<QuerySpending>, money: Option<f64>, gigabytes: Option<f64>| {
        let spent = spent.unwrap_or_default();
        let of =
            |limit: Option<f64>| limit.map_or_else(String::new, |limit| format!(" of {limit}"));
        format!(
            "{name}: {} queries, {}{} scanned, {:.2}{} {}",
            spent.queries,
            size(spent.bytes_scanned),
            gigabytes.map_or_else(String::new, |limit| format!(" of {limit} GB")),
            spent.price,
            of(money),
            costs.currency
        )
    };
    let mut lines = vec![
        line(
            "today",
            costs.day,
            budget.money_a_day,
            budget.gigabytes_a_day,
        ),
        line(
            "this month",
            costs.month,
            budget.money_a_month,
            budget.gigabytes_a_month,
        ),
    ];
    if !budget.spent.is_empty() {
        lines.push(budget.spent);
    }
    lines.join("\n")
}

fn query_row(query: &QueryCost) -> Vec<String> {
    let about = if query.is_estimated { "~" } else { "" };
    vec![
        minute(query.asked_at),
        query.statement.clone(),
        query.outcome.clone(),
        query.rows_answered.to_string(),
        format!("{about}{}", size(query.bytes_scanned)),
        query
            .execution_ms
            .map_or_else(String::new, |time| time.to_string()),
        format!("{:.4}", query.price),
    ]
}

fn completeness_row(table: &TableCompleteness) -> Vec<String> {
    let shares: Vec<f64> = table.hours.iter().map(|hour| hour.completeness).collect();
    let last = shares.last().copied().unwrap_or(1.0);
    let hours = i32::try_from(shares.len().max(1)).map_or(1.0, f64::from);
    let mean = shares.iter().sum::<f64>() / hours;
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    vec![
        table.table.clone(),
        minutes(table.p50_minutes),
        minutes(table.p90_minutes),
        minutes(table.p99_minutes),
        percent(last),
        percent(mean),
    ]
}

fn minutes(minutes: u32) -> String {
    match minutes {
        0..=120 => format!("{minutes} min"),
        121..=2880 => format!("{} h", minutes / 60),
        2881..=999_999 => format!("{} d", minutes / 1440),
        _ => "later".to_owned(),
    }
}
