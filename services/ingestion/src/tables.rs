//! How the rows of each table are read.

mod declared;

use std::net::IpAddr;

use foretide_domain::SentinelTable;
use foretide_pseudonyms::EntityKind;
use foretide_sentinel_tables::is_external;

use crate::event::{Event, Stream};
use crate::pseudonym::ObjectPseudonyms;
use crate::rows::{Reason, Record, Refusal};

/// Milliseconds of one day.
pub(crate) const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// 2000-01-01T00:00:00Z.
const EARLIEST_MS: i64 = 946_684_800_000;
/// A row that claims to be logged later than this after the run waits for no replay: it is wrong.
const FURTHEST_AHEAD_MS: i64 = 366 * DAY_MS;
const MAX_LABEL_CHARS: usize = 128;

const TIME_GENERATED: usize = 0;
const ARRIVAL_TIME: usize = 1;

/// The columns that are read, in the order of [`Record::values`].
pub(crate) fn columns(table: SentinelTable) -> &'static [&'static str] {
    match table {
        SentinelTable::SecurityIncident => &[
            "TimeGenerated",
            "_ArrivalTime",
            "IncidentName",
            "IncidentNumber",
            "CreatedTime",
            "LastModifiedTime",
            "ClosedTime",
            "Status",
            "Severity",
            "ProviderName",
            "AdditionalData",
        ],
        SentinelTable::SecurityAlert => &[
            "TimeGenerated",
            "_ArrivalTime",
            "SystemAlertId",
            "AlertSeverity",
            "ProductName",
            "ProviderName",
            "Tactics",
        ],
        SentinelTable::SigninLogs => &["TimeGenerated", "_ArrivalTime", "ResultType", "IPAddress"],
        SentinelTable::CommonSecurityLog => &[
            "TimeGenerated",
            "_ArrivalTime",
            "SimplifiedDeviceAction",
            "DeviceAction",
            "SourceIP",
        ],
        SentinelTable::Usage => &[
            "TimeGenerated",
            "_ArrivalTime",
            "StartTime",
            "DataType",
            "Quantity",
            "QuantityUnit",
        ],
        SentinelTable::ThreatIntelIndicators => &["TimeGenerated", "_ArrivalTime", "Id", "Created"],
        _ => declared::columns(table),
    }
}

/// Whether a table is read as its declaration says, without a reader of its own.
pub(crate) fn is_declared(table: SentinelTable) -> bool {
    !matches!(
        table,
        SentinelTable::SecurityIncident
            | SentinelTable::SecurityAlert
            | SentinelTable::SigninLogs
            | SentinelTable::CommonSecurityLog
            | SentinelTable::Usage
            | SentinelTable::ThreatIntelIndicators
    )
}

/// Whether rows are told apart by all their columns.
pub(crate) fn needs_whole_rows(table: SentinelTable) -> bool {
    foretide_sentinel_tables::table(table).identity == foretide_sentinel_tables::Identity::EachRow
}

/// When a row was written and when it could first be read, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowTimes {
    /// `TimeGenerated`.
    pub(crate) generated: i64,
    /// `_ArrivalTime`, or `TimeGenerated` where the export has none.
    pub(crate) arrived: i64,
}

/// What is known about a row besides its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowContext<'a> {
    pub(crate) pseudonyms: &'a ObjectPseudonyms,
    /// The raw row, from which rows without an id get their identity.
    pub(crate) raw: &'a [u8],
    /// The run's moment.
    pub(crate) as_of: i64,
    /// The moment the export's folder stands for.
    pub(crate) folder_time: Option<i64>,
}

/// When a row was logged.
pub(crate) fn row_times(
    record: &Record<'_>,
    context: &RowContext<'_>,
) -> Result<RowTimes, Refusal> {
    let generated = record
        .moment(TIME_GENERATED, "TimeGenerated")?
        .ok_or_else(|| Refusal::about(Reason::MissingTime, "TimeGenerated", "missing"))?;
    let arrived = record
        .moment(ARRIVAL_TIME, "_ArrivalTime")?
        .unwrap_or(generated);
    plausible(
        "TimeGenerated",
        generated,
        context.as_of + FURTHEST_AHEAD_MS,
    )?;
    plausible("_ArrivalTime", arrived, context.as_of + FURTHEST_AHEAD_MS)?;
    if let Some(folder) = context.folder_time
        && (generated - folder).abs() > DAY_MS + HOUR_MS
    {
        return Err(implausible("TimeGenerated", generated));
    }
    Ok(RowTimes { generated, arrived })
}

/// Adds what is counted of a row to `events`; nothing when the row is sound but not counted.
pub(crate) fn read_row(
    table: SentinelTable,
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
    events: &mut Vec<(Stream, Event)>,
) -> Result<(), Refusal> {
    let event = match table {
        SentinelTable::SecurityIncident => incident(record, times, context).map(Some),
        SentinelTable::SecurityAlert => alert(record, times, context).map(Some),
        SentinelTable::SigninLogs => sign_in(record, times, context).map(Some),
        SentinelTable::CommonSecurityLog => firewall(record, times, context),
        SentinelTable::Usage => usage(record, times, context).map(Some),
        SentinelTable::ThreatIntelIndicators => indicator(record, times, context).map(Some),
        _ => return declared::read(table, record, times, context, events),
    }?;
    events.extend(event.map(|event| (Stream::Table(table), event)));
    Ok(())
}

fn incident(
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
) -> Result<Event, Refusal> {
    let name = record.text(2, "IncidentName")?;
    let number = record.text(3, "IncidentNumber")?;
    let identity = name
        .or(number)
        .ok_or_else(|| Refusal::about(Reason::MissingIdentity, "IncidentName", "missing"))?;
    let created = record
        .moment(4, "CreatedTime")?
        .ok_or_else(|| Refusal::about(Reason::MissingTime, "CreatedTime", "missing"))?;
    let modified = record.moment(5, "LastModifiedTime")?;
    let closed = record.moment(6, "ClosedTime")?;
    let status = record.text(7, "Status")?;
    let is_closed = status.is_none_or(|status| status.eq_ignore_ascii_case("closed"));
    let details = record.values[10].details();
    let provider = record.text(9, "ProviderName")?;
    let product = details.product.as_deref().or(provider.as_deref());
    plausible_event("CreatedTime", created, times)?;
    if let Some(closed) = closed {
        plausible_event("ClosedTime", closed, times)?;
    }
    Ok(Event {
        severity: severity(record, 8, "Severity")?.to_owned(),
        product: label(product),
        tactic: label(details.tactic.as_deref()),
        closed_time: closed.filter(|_| is_closed),
        version: modified.unwrap_or(times.generated),
        ..blank(
            context.pseudonyms.hash("incident", &[identity.as_bytes()]),
            created,
            times,
        )
    })
}

fn alert(record: &Record<'_>, times: RowTimes, context: &RowContext<'_>) -> Result<Event, Refusal> {
    let identity = record
        .text(2, "SystemAlertId")?
        .ok_or_else(|| Refusal::about(Reason::MissingIdentity, "SystemAlertId", "missing"))?;
    let product = record.text(4, "ProductName")?;
    let provider = record.text(5, "ProviderName")?;
    let tactics = record.text(6, "Tactics")?.unwrap_or_default();
    let first_tactic = tactics
        .split([',', '[', ']', '"'])
        .map(str::trim)
        .find(|tactic| !tactic.is_empty());
    Ok(Event {
        severity: severity(record, 3, "AlertSeverity")?.to_owned(),
        product: label(product.or(provider).as_deref()),
        tactic: label(first_tactic),
        ..blank(
            context.pseudonyms.hash("alert", &[identity.as_bytes()]),
            times.generated,
            times,
        )
    })
}

fn sign_in(
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
) -> Result<Event, Refusal> {
    let result = record
        .text(2, "ResultType")?
        .ok_or_else(|| Refusal::about(Reason::MissingColumn, "ResultType", "missing"))?;
    let address = record.text(3, "IPAddress")?.filter(|text| *text != "-");
    Ok(Event {
        counts: result != "0",
        address: address.and_then(|address| {
            let pseudonyms = context.pseudonyms;
            pseudonyms.entity(EntityKind::Address, &address, times.generated)
        }),
        ..blank(row_key(context), times.generated, times)
    })
}

/// Only denied traffic from outside is counted.
fn firewall(
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
) -> Result<Option<Event>, Refusal> {
    let simplified = record.text(2, "SimplifiedDeviceAction")?;
    let action = simplified.or(record.text(3, "DeviceAction")?);
    let source = record.text(4, "SourceIP")?;
    let is_denied = action.is_some_and(|action| is_denial(&action));
    let Some(source) = source.filter(|_| is_denied) else {
        return Ok(None);
    };
    if source.parse::<IpAddr>().is_err() {
        let problem = "not an address";
        return Err(Refusal::about(Reason::WrongType, "SourceIP", problem));
    }
    if !is_external(&source) {
        return Ok(None);
    }
    let pseudonyms = context.pseudonyms;
    Ok(Some(Event {
        address: pseudonyms.entity(EntityKind::Address, &source, times.generated),
        ..blank(row_key(context), times.generated, times)
    }))
}

fn usage(record: &Record<'_>, times: RowTimes, context: &RowContext<'_>) -> Result<Event, Refusal> {
    let start = record
        .moment(2, "StartTime")?
        .unwrap_or(times.generated - HOUR_MS);
    plausible_event("StartTime", start, times)?;
    let data_type = record
        .text(3, "DataType")?
        .ok_or_else(|| Refusal::about(Reason::MissingColumn, "DataType", "missing"))?;
    let quantity = record
        .number(4, "Quantity")?
        .ok_or_else(|| Refusal::about(Reason::MissingColumn, "Quantity", "missing"))?;
    if quantity < 0.0 {
        return Err(Refusal::about(
            Reason::NegativeAmount,
            "Quantity",
            &quantity.to_string(),
        ));
    }
    let unit = record.text(5, "QuantityUnit")?;
    let megabytes = match unit.as_deref() {
        None | Some("MBytes" | "MB") => quantity,
        Some("GBytes" | "GB") => quantity * 1000.0,
        Some("KBytes" | "KB") => quantity / 1000.0,
        Some("Bytes" | "B") => quantity / 1e6,
        Some(other) => return Err(Refusal::about(Reason::UnknownUnit, "QuantityUnit", other)),
    };
    Ok(Event {
        product: label(Some(&data_type)),
        amount: megabytes,
        ..blank(row_key(context), start, times)
    })
}

fn indicator(
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
) -> Result<Event, Refusal> {
    let identity = record
        .text(2, "Id")?
        .ok_or_else(|| Refusal::about(Reason::MissingIdentity, "Id", "missing"))?;
    // Published again every 7 to 10 days: what stays is when it was made.
    let created = record
        .moment(3, "Created")?
        .filter(|created| plausible_event("Created", *created, times).is_ok())
        .unwrap_or(times.generated);
    Ok(blank(
        context.pseudonyms.hash("indicator", &[identity.as_bytes()]),
        created,
        times,
    ))
}

fn blank(key: u128, event_time: i64, times: RowTimes) -> Event {
    Event {
        key,
        event_time,
        version: times.generated,
        closed_time: None,
        counts: true,
        severity: String::new(),
        product: String::new(),
        tactic: String::new(),
        address: None,
        amount: 1.0,
    }
}

/// Identity of a row that has none: all of it.
fn row_key(context: &RowContext<'_>) -> u128 {
    context.pseudonyms.hash("row", &[context.raw])
}

fn severity(
    record: &Record<'_>,
    column: usize,
    name: &'static str,
) -> Result<&'static str, Refusal> {
    let text = record.text(column, name)?.unwrap_or_default();
    known_severity(&text)
        .ok_or_else(|| Refusal::about(Reason::UnknownSeverity, name, &label(Some(&text))))
}

/// The severity's one way of writing.
pub(crate) fn known_severity(text: &str) -> Option<&'static str> {
    ["High", "Medium", "Low", "Informational"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(text))
}

/// A label fit for a bucket: one line, at most 128 characters.
pub(crate) fn label(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().trim();
    if text.len() <= MAX_LABEL_CHARS && !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_LABEL_CHARS)
        .collect()
}

fn is_denial(action: &str) -> bool {
    [
        "deny",
        "denied",
        "drop",
        "dropped",
        "block",
        "blocked",
        "reject",
        "rejected",
        "reset-both",
    ]
    .iter()
    .any(|denial| denial.eq_ignore_ascii_case(action.trim()))
}

/// A thing cannot have happened more than a day after the row that tells of it.
fn plausible_event(column: &'static str, moment: i64, times: RowTimes) -> Result<(), Refusal> {
    plausible(column, moment, times.generated + DAY_MS)
}

pub(crate) fn plausible(column: &'static str, moment: i64, latest: i64) -> Result<(), Refusal> {
    if (EARLIEST_MS..=latest).contains(&moment) {
        Ok(())
    } else {
        Err(implausible(column, moment))
    }
}

fn implausible(column: &'static str, moment: i64) -> Refusal {
    Refusal::about(
        Reason::ImplausibleTime,
        column,
        &format!("{moment} ms since 1970"),
    )
}

#[cfg(test)]
mod tests;
