use proptest::prelude::*;

use super::*;
use crate::rows::{MAX_COLUMNS, parse_line};

const AS_OF: i64 = 1_795_427_000_000; // 2026-11-23

fn pseudonyms() -> ObjectPseudonyms {
    crate::pseudonym::tests::two_epochs().of_object()
}

fn read(table: SentinelTable, line: &str) -> Result<Option<Event>, Reason> {
    let pseudonyms = pseudonyms();
    let context = RowContext {
        pseudonyms: &pseudonyms,
        raw: line.as_bytes(),
        as_of: AS_OF,
        folder_time: None,
    };
    let record = parse_line(line.as_bytes(), columns(table)).map_err(|refusal| refusal.reason)?;
    let mut events = Vec::new();
    row_times(&record, &context)
        .and_then(|times| read_row(table, &record, times, &context, &mut events))
        .map_err(|refusal| refusal.reason)?;
    Ok(events.pop().map(|(_, event)| event))
}

fn incident_with(change: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","IncidentName":"a","CreatedTime":"2026-11-20T09:00:00Z","Severity":"High","Status":"Closed","ClosedTime":"2026-11-20T10:00:00Z"{change}}}"#
    )
}

#[test]
fn columns_fit_into_a_record() {
    for table in SentinelTable::ALL {
        assert!(columns(table).len() <= MAX_COLUMNS);
    }
}

#[test]
fn an_incident_is_counted_when_it_was_created_and_closed_only_when_it_says_so() {
    let event = read(SentinelTable::SecurityIncident, &incident_with(""))
        .unwrap()
        .unwrap();
    assert_eq!(event.event_time, 1_795_165_200_000);
    assert!(event.closed_time.is_some());
    let reopened = incident_with(r#","Status":"Active""#);
    let event = read(SentinelTable::SecurityIncident, &reopened)
        .unwrap()
        .unwrap();
    assert_eq!(event.closed_time, None);
}

#[test]
fn bad_rows_have_a_reason_each() {
    let incident = SentinelTable::SecurityIncident;
    let usage = SentinelTable::Usage;
    let usage_with = |quantity: &str, unit: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","DataType":"X","Quantity":{quantity},"QuantityUnit":"{unit}"}}"#
        )
    };
    let cases = [
        (
            incident,
            incident_with(r#","Severity":"Purple""#),
            Reason::UnknownSeverity,
        ),
        (
            incident,
            incident_with(r#","Severity":null"#),
            Reason::UnknownSeverity,
        ),
        (
            incident,
            incident_with(r#","CreatedTime":null"#),
            Reason::MissingTime,
        ),
        (
            incident,
            incident_with(r#","CreatedTime":"1999-12-31T23:59:59Z""#),
            Reason::ImplausibleTime,
        ),
        (
            incident,
            incident_with(r#","CreatedTime":"2026-11-22T09:00:00Z""#),
            Reason::ImplausibleTime,
        ),
        (
            incident,
            incident_with(r#","TimeGenerated":"2099-01-01T00:00:00Z""#),
            Reason::ImplausibleTime,
        ),
        (
            incident,
            incident_with(r#","TimeGenerated":"last week""#),
            Reason::BadTime,
        ),
        (
            incident,
            incident_with(r#","TimeGenerated":17"#),
            Reason::WrongType,
        ),
        (
            incident,
            incident_with(r#","IncidentName":null"#),
            Reason::MissingIdentity,
        ),
        (
            incident,
            incident_with(&format!(r#","IncidentName":"{}""#, "x".repeat(70_000))),
            Reason::OversizedField,
        ),
        (usage, usage_with("-1", "MBytes"), Reason::NegativeAmount),
        (usage, usage_with("\"many\"", "MBytes"), Reason::WrongType),
        (usage, usage_with("1", "Bananas"), Reason::UnknownUnit),
        (usage, usage_with("null", "MBytes"), Reason::MissingColumn),
    ];
    for (table, line, reason) in cases {
        assert_eq!(read(table, &line), Err(reason), "{line:.200}");
    }
}

#[test]
fn only_denied_traffic_from_outside_is_counted() {
    let row = |action: &str, source: &str| {
        let line = format!(
            r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","DeviceAction":"{action}","SourceIP":"{source}"}}"#
        );
        read(SentinelTable::CommonSecurityLog, &line)
    };
    assert!(row("Deny", "198.51.100.7").unwrap().is_some());
    assert!(row("allow", "198.51.100.7").unwrap().is_none());
    assert!(row("deny", "10.1.2.3").unwrap().is_none());
    assert_eq!(row("deny", "not-an-ip"), Err(Reason::WrongType));
}

#[test]
fn a_declared_table_gives_an_event_for_each_measure_that_counts_the_row() {
    let row = |event: &str, account: &str| {
        let line = format!(
            r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","EventID":{event},"TargetAccount":"{account}"}}"#
        );
        let pseudonyms = pseudonyms();
        let context = RowContext {
            pseudonyms: &pseudonyms,
            raw: line.as_bytes(),
            as_of: AS_OF,
            folder_time: None,
        };
        let table = SentinelTable::SecurityEvent;
        let record = parse_line(line.as_bytes(), columns(table)).unwrap();
        let times = row_times(&record, &context).unwrap();
        let mut events = Vec::new();
        read_row(table, &record, times, &context, &mut events).unwrap();
        events
    };
    let failed = row("4625", "CONTOSO\\\\ada");
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0].1.product, "4625");
    assert!(failed[1].1.address.is_some());
    assert!(
        failed
            .iter()
            .all(|(_, event)| !event.product.contains("ada"))
    );
    assert_eq!(row("1102", "").len(), 1);
    assert_eq!(row("4624", "ada").len(), 0);
    let wrong = r#"{"TimeGenerated":"2026-11-20T10:00:00Z","DeniedInFlows":"many"}"#;
    assert_eq!(
        read(SentinelTable::NTANetAnalytics, wrong),
        Err(Reason::WrongType)
    );
    let unnamed = r#"{"TimeGenerated":"2026-11-20T10:00:00Z"}"#;
    assert_eq!(
        read(SentinelTable::Anomalies, unnamed),
        Err(Reason::MissingIdentity)
    );
}

#[test]
fn a_result_type_may_be_a_number() {
    let row = |result: &str| {
        let line = format!(r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","ResultType":{result}}}"#);
        read(SentinelTable::SigninLogs, &line)
            .unwrap()
            .unwrap()
            .counts
    };
    assert!(!row("0"));
    assert!(!row("\"0\""));
    assert!(row("50126"));
}

proptest! {
    #[test]
    fn no_row_makes_it_panic(values in prop::collection::vec("\\PC{0,20}", 12), table in 0..SentinelTable::ALL.len()) {
        let table = SentinelTable::ALL[table];
        let object: serde_json::Map<_, _> = columns(table)
            .iter()
            .zip(values)
            .map(|(column, value)| ((*column).to_owned(), value.into()))
            .collect();
        read(table, &serde_json::Value::from(object).to_string()).ok();
    }
}
