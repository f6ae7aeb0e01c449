use proptest::prelude::*;

use super::*;
use crate::rows::{MAX_COLUMNS, parse_line};

const AS_OF: i64 = 1_795_427_000_000; // 2026-11-23

fn pseudonyms() -> ObjectPseudonyms {
    crate::pseudonym::tests::two_epochs().of_object()
}

/// What is counted of the rows, read one after the other.
fn read_all(table: SentinelTable, lines: &[&str]) -> Result<Vec<(Stream, Event)>, Reason> {
    let (pseudonyms, repeats) = (pseudonyms(), RefCell::default());
    let mut events = Vec::new();
    for line in lines {
        let context = RowContext {
            pseudonyms: &pseudonyms,
            repeats: &repeats,
            raw: line.as_bytes(),
            as_of: AS_OF,
            folder_time: None,
        };
        let record =
            parse_line(line.as_bytes(), columns(table)).map_err(|refusal| refusal.reason)?;
        row_times(table, &record, &context)
            .and_then(|times| read_row(table, &record, times, &context, &mut events))
            .map_err(|refusal| refusal.reason)?;
    }
    Ok(events)
}

fn read(table: SentinelTable, line: &str) -> Result<Option<Event>, Reason> {
    let events = read_all(table, &[line])?;
    Ok(events.into_iter().next_back().map(|(_, event)| event))
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
    let incident = |change: &str| {
        let line = incident_with(change);
        read_all(SentinelTable::SecurityIncident, &[&line]).unwrap()
    };
    let events = incident("");
    let times: Vec<_> = events
        .iter()
        .map(|(_, event)| (event.at, event.counts))
        .collect();
    let created = Some(1_795_165_200_000);
    assert_eq!(times, [(created, true), (Some(1_795_168_800_000), true)]);
    let reopened = incident(r#","Status":"Active""#);
    assert!(reopened[0].1.counts && !reopened[1].1.counts);
    let never = |change: &str| incident(change).iter().all(|(_, event)| event.never);
    for (change, expected) in [
        (r#","Title":"Foretide: surge""#, true),
        (r#","Title":"  Foretide: surge""#, true),
        (r#","Title":"foretide: not ours""#, false),
        (r#","Title":"Foretide of the year""#, false),
        (
            r#","Labels":[{"labelName":"x"},{"labelName":"Redirected","labelType":"User"}]"#,
            true,
        ),
        (r#","Labels":[{"labelName":"Redirected by Ada"}]"#, false),
    ] {
        assert_eq!(never(change), expected, "{change}");
    }
}

#[test]
fn every_severity_is_one_of_four() {
    for (written, expected) in [
        ("\"High\"", "High"),
        ("\" high \"", "High"),
        ("\"Critical\"", "High"),
        ("\"MEDIUM\"", "Medium"),
        ("\"\"", "Informational"),
        ("\"Purple\"", "Informational"),
        ("null", "Informational"),
    ] {
        let line = incident_with(&format!(",\"Severity\":{written}"));
        let event = read(SentinelTable::SecurityIncident, &line)
            .unwrap()
            .unwrap();
        assert_eq!(event.severity, expected, "{written}");
    }
}

#[test]
fn identical_rows_without_an_id_are_events_of_their_own() {
    let row = r#"{"TimeGenerated":"2026-11-20T10:00:00Z","ResultType":"50126"}"#;
    let keys = |lines: &[&str]| -> Vec<u128> {
        let events = read_all(SentinelTable::SigninLogs, lines).unwrap();
        events.iter().map(|(_, event)| event.key).collect()
    };
    let twice = keys(&[row, row]);
    assert_ne!(twice[0], twice[1]);
    assert_eq!(keys(&[row, row]), twice);
    assert_eq!(keys(&[row]), twice[..1]);
}

#[test]
fn a_row_counts_when_all_that_it_tells_of_has_happened() {
    let line = incident_with(r#","CreatedTime":"2026-11-20T20:00:00Z""#);
    let (pseudonyms, repeats) = (pseudonyms(), RefCell::default());
    let context = RowContext {
        pseudonyms: &pseudonyms,
        repeats: &repeats,
        raw: &[],
        as_of: AS_OF,
        folder_time: None,
    };
    let table = SentinelTable::SecurityIncident;
    let record = parse_line(line.as_bytes(), columns(table)).unwrap();
    let times = row_times(table, &record, &context).unwrap();
    assert_eq!(times.arrived - times.generated, 10 * HOUR_MS);
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
    assert!(row("deny", "not-an-ip").unwrap().is_none());
    assert!(row("deny", "::ffff:10.1.2.3").unwrap().is_none());
    let written = ["2001:db8::1", "2001:DB8:0::1", "[2001:db8::1]:443"];
    let addresses = written.map(|source| row("deny", source).unwrap().unwrap().address);
    assert!(addresses.iter().all(|address| *address == addresses[0]));
}

#[test]
fn a_declared_table_gives_an_event_for_each_measure_that_counts_the_row() {
    let row = |event: &str, account: &str| {
        let line = format!(
            r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","EventID":{event},"TargetAccount":"{account}"}}"#
        );
        read_all(SentinelTable::SecurityEvent, &[&line]).unwrap()
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
    let fails = |result: &str| {
        let line = format!(r#"{{"TimeGenerated":"2026-11-20T10:00:00Z","ResultType":{result}}}"#);
        read(SentinelTable::SigninLogs, &line).unwrap().is_some()
    };
    assert!(!fails("0"));
    assert!(!fails("\" 0 \""));
    assert!(!fails("\"\""));
    assert!(!fails("null"));
    assert!(fails("50126"));
}

#[test]
fn every_identifier_that_is_counted_has_a_kind() {
    for declared in SentinelTable::ALL.map(table) {
        for measure in declared.measures {
            let Counting::Distinct(text) = measure.counting else {
                continue;
            };
            let columns = text.columns();
            let names = declared.identifiers().any(|name| columns.contains(&name));
            let kind = entity_kind(declared, text);
            assert_eq!(kind.is_some(), names, "{}: {columns:?}", declared.table);
        }
    }
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
