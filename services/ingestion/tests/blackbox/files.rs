//! Both layouts, updates, late rows, repeated rows, mappings, counts.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_api::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use foretide_api::ingestion::v1::{IngestRequest, ListQuarantineRequest};
use foretide_domain::{Measure, Principal, Role, RunId};
use polars::prelude::{ParquetWriter, df};
use tonic::Code;

use crate::world::{Incident, World, at, exported, minute};

const FOLDER: &str = "y=2026/m=11/d=20/h=09/m=00";

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_export_becomes_hourly_buckets() {
    let world = World::new().await;
    let lines = [
        Incident::new(1, 545, "High"),
        Incident::new(2, 550, "Low"),
        Incident::new(3, 555, "High"),
    ]
    .map(|incident| incident.line())
    .concat();
    world.write(&exported("securityincident", FOLDER), lines);
    let summary = world.ingest("2026-11-21T00:00:00Z").await;
    let incidents = &summary["SecurityIncident"];
    assert_eq!((incidents.rows_read, incidents.objects_read), (3, 1));
    assert_eq!(incidents.error, "");
    let buckets = world
        .buckets(Measure::Incidents, "2026-11-21T00:00:00Z")
        .await;
    let seen: Vec<_> = buckets
        .iter()
        .map(|row| {
            (
                row.event_time,
                row.severity.as_str(),
                row.product.as_str(),
                row.tactic.as_str(),
                row.value,
            )
        })
        .collect();
    let hour = at("2026-11-20T09:00:00Z");
    assert_eq!(
        seen,
        [
            (hour, "High", "Defender", "InitialAccess", 2.0),
            (hour, "Low", "Defender", "InitialAccess", 1.0)
        ]
    );
    let watermark = &world.watermarks().await[0];
    assert_eq!(
        watermark.event_time.unwrap().to_moment().unwrap(),
        at("2026-11-20T09:15:00Z")
    );
}

#[tokio::test]
async fn with_nothing_new_nothing_is_written() {
    let mut world = World::new().await;
    world.write(
        "SecurityIncident.ndjson",
        Incident::new(1, 545, "High").line(),
    );
    world.ingest("2026-11-21T00:00:00Z").await;
    let (before, marks) = (world.lake().await, world.watermarks().await);
    world.restart().await;
    let summary = world.ingest("2026-11-21T06:00:00Z").await;
    assert_eq!(summary["SecurityIncident"].rows_read, 0);
    assert_eq!(world.lake().await, before);
    assert_eq!(world.watermarks().await, marks);
}

#[tokio::test]
async fn an_incident_counts_once_with_its_latest_row() {
    let world = World::new().await;
    let first = Incident::new(1, 545, "Low").line();
    let raised = Incident::new(1, 545, "High").logged(700).line();
    let closed = Incident::new(1, 545, "High").logged(800).closed(790).line();
    world.write(
        "SecurityIncident.ndjson",
        [closed.clone(), first, raised].concat(),
    );
    world.ingest("2026-11-21T00:00:00Z").await;
    let buckets = world
        .buckets(Measure::Incidents, "2026-11-21T00:00:00Z")
        .await;
    assert_eq!(buckets.len(), 1);
    assert_eq!(
        (buckets[0].severity.as_str(), buckets[0].value),
        ("High", 1.0)
    );
    let closings = world
        .buckets(Measure::IncidentsClosed, "2026-11-21T00:00:00Z")
        .await;
    assert_eq!(closings[0].event_time, at("2026-11-20T13:00:00Z"));

    // reopened, then closed again on another day
    let path = "SecurityIncident.ndjson";
    world.append(path, &Incident::new(1, 545, "High").logged(1500).line());
    world.ingest("2026-11-22T00:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::IncidentsClosed, "2026-11-22T00:00:00Z")
            .await,
        0.0
    );
    world.append(
        path,
        &Incident::new(1, 545, "High")
            .logged(1600)
            .closed(1600)
            .line(),
    );
    world.ingest("2026-11-22T06:00:00Z").await;
    let closings = world
        .buckets(Measure::IncidentsClosed, "2026-11-22T06:00:00Z")
        .await;
    assert_eq!(closings.len(), 1);
    assert_eq!(closings[0].event_time, at("2026-11-21T02:00:00Z"));
    // and who reads as of the first run sees the first closing
    assert_eq!(
        world
            .count(Measure::IncidentsClosed, "2026-11-21T00:00:00Z")
            .await,
        1.0
    );
}

#[tokio::test]
async fn late_rows_are_appended_to_old_objects_and_only_they_are_read() {
    let world = World::new().await;
    let path = exported("SecurityIncident", FOLDER);
    world.append(&path, &Incident::new(1, 545, "High").line());
    world.ingest("2026-11-20T12:00:00Z").await;
    world.append(&path, &Incident::new(2, 546, "High").line());
    let summary = world.ingest("2026-11-20T18:00:00Z").await;
    let incidents = &summary["SecurityIncident"];
    assert_eq!((incidents.rows_read, incidents.rows_duplicate), (1, 0));
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T12:00:00Z")
            .await,
        1.0
    );
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T18:00:00Z")
            .await,
        2.0
    );
}

#[tokio::test]
async fn a_repeated_file_changes_nothing() {
    let world = World::new().await;
    let lines = [Incident::new(1, 545, "High"), Incident::new(2, 550, "Low")]
        .map(|incident| incident.line())
        .concat();
    world.write(&exported("securityincident", FOLDER), &lines);
    world.ingest("2026-11-20T12:00:00Z").await;
    let buckets = world
        .buckets(Measure::Incidents, "2026-11-23T00:00:00Z")
        .await;
    let copy = exported("securityincident", FOLDER).replace("PT05M.json", "PT05M_1.json");
    world.write(&copy, &lines);
    let summary = world.ingest("2026-11-20T13:00:00Z").await;
    let incidents = &summary["SecurityIncident"];
    assert_eq!(
        (
            incidents.rows_read,
            incidents.rows_duplicate,
            incidents.buckets_written
        ),
        (2, 2, 0)
    );
    assert_eq!(
        world
            .buckets(Measure::Incidents, "2026-11-23T00:00:00Z")
            .await,
        buckets
    );
}

#[tokio::test]
async fn a_replaced_file_is_read_from_its_beginning() {
    let world = World::new().await;
    world.write(
        "SecurityIncident.ndjson",
        Incident::new(1, 545, "High").line(),
    );
    world.ingest("2026-11-20T12:00:00Z").await;
    let longer: String = (10..20)
        .map(|number| Incident::new(number, 545, "Low").line())
        .collect();
    world.write("SecurityIncident.ndjson", longer);
    world.ingest("2026-11-20T13:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T13:00:00Z")
            .await,
        11.0
    );
}

#[tokio::test]
async fn every_plain_form_gives_the_same_counts() {
    let rows: String = (0..50)
        .map(|at| Incident::new(at, i64::from(at) * 20, "Medium").line())
        .collect();
    let mut expected = None;
    for form in ["ndjson", "json.gz", "csv", "csv.gz", "parquet"] {
        let world = World::new().await;
        let path = format!("SecurityIncident/part.{form}");
        let mut csv = "\u{feff}TimeGenerated,IncidentName,CreatedTime,Severity,ProviderName,Title,AdditionalData\n".to_owned();
        let (mut times, mut names) = (Vec::new(), Vec::new());
        for at in 0..50 {
            let time = minute(at * 20);
            csv.push_str(&format!("{time},incident-{at},{time},Medium,Azure Sentinel,\"two\nlines, \"\"quoted\"\"\",\"{{\"\"alertProductNames\"\":[\"\"Defender\"\"],\"\"tactics\"\":[\"\"InitialAccess\"\"]}}\"\n"));
            times.push(time);
            names.push(format!("incident-{at}"));
        }
        match form {
            "ndjson" => world.write(&path, &rows),
            "json.gz" => world.write(&path, gzip(&rows)),
            "csv" => world.write(&path, &csv),
            "csv.gz" => world.write(&path, gzip(&csv)),
            _ => {
                let details =
                    "{\"alertProductNames\":[\"Defender\"],\"tactics\":[\"InitialAccess\"]}";
                let mut frame = df!("TimeGenerated" => &times, "IncidentName" => &names, "CreatedTime" => &times,
                    "Severity" => vec!["Medium"; 50], "AdditionalData" => vec![details; 50]).unwrap();
                let mut bytes = Vec::new();
                ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
                world.write(&path, bytes);
            }
        }
        let summary = world.ingest("2026-11-21T00:00:00Z").await;
        assert_eq!(summary["SecurityIncident"].rows_read, 50, "{form}");
        assert_eq!(summary["SecurityIncident"].rows_quarantined, 0, "{form}");
        let buckets = world
            .buckets(Measure::Incidents, "2026-11-21T00:00:00Z")
            .await;
        assert_eq!(
            expected.get_or_insert_with(|| buckets.clone()),
            &buckets,
            "{form}"
        );
    }
}

#[tokio::test]
async fn addresses_are_counted_and_never_stored() {
    let world = World::new().await;
    let sign_in = |minutes: i64, address: &str, result: &str| {
        format!(
            "{{\"TimeGenerated\":\"{}\",\"ResultType\":\"{result}\",\"IPAddress\":\"{address}\",\"UserPrincipalName\":\"ada@contoso.example\"}}\n",
            minute(minutes)
        )
    };
    let denied = |minutes: i64, address: &str| {
        format!(
            "{{\"TimeGenerated\":\"{}\",\"DeviceAction\":\"deny\",\"SourceIP\":\"{address}\"}}\n",
            minute(minutes)
        )
    };
    let sign_ins = [
        sign_in(1, "198.51.100.7", "50126"),
        sign_in(2, "198.51.100.7", "0"),
        sign_in(70, "198.51.100.8", "50126"),
    ];
    world.write("SigninLogs.ndjson", sign_ins.concat());
    let firewall = [
        denied(1, "198.51.100.7"),
        denied(2, "198.51.100.7"),
        denied(3, "198.51.100.9"),
        denied(65, "198.51.100.7"),
        denied(4, "10.0.0.1"),
    ];
    world.write("CommonSecurityLog.ndjson", firewall.concat());
    world.ingest("2026-11-21T00:00:00Z").await;
    let now = "2026-11-21T00:00:00Z";
    assert_eq!(world.count(Measure::FailedLogins, now).await, 2.0);
    let daily = world.buckets(Measure::UniqueSourceIpsDaily, now).await;
    assert_eq!((daily.len(), daily[0].value), (1, 2.0));
    let attackers: Vec<f64> = world
        .buckets(Measure::UniqueAttackerIps, now)
        .await
        .iter()
        .map(|row| row.value)
        .collect();
    assert_eq!(attackers, [2.0, 1.0]);
    for (path, _) in world.lake().await {
        let frame = world
            .context
            .ctx
            .lake
            .read_frame(&path, None)
            .await
            .unwrap();
        let shown = format!("{:?}", frame.columns());
        assert!(
            !shown.contains("198.51") && !shown.contains("ada@"),
            "{path}: {shown}"
        );
    }
}

#[tokio::test]
async fn alerts_indicators_and_usage_are_counted_by_what_they_are() {
    let world = World::new().await;
    let alert = |id: &str, minutes: i64, severity: &str| {
        format!(
            "{{\"TimeGenerated\":\"{}\",\"SystemAlertId\":\"{id}\",\"AlertSeverity\":\"{severity}\",\"ProductName\":\"P\",\"Tactics\":\"Impact, Discovery\"}}\n",
            minute(minutes)
        )
    };
    // the update of an alert, a day later, does not move it
    world.write(
        "SecurityAlert.ndjson",
        [
            alert("a", 60, "Low"),
            alert("a", 1600, "High"),
            alert("b", 61, "Low"),
        ]
        .concat(),
    );
    let indicator = |id: &str, minutes: i64, method: &str| {
        format!(
            "{{\"TimeGenerated\":\"{}\",\"Id\":\"{id}\",\"LastUpdateMethod\":\"{method}\",\"Created\":\"{}\"}}\n",
            minute(minutes),
            minute(5)
        )
    };
    world.write(
        "ThreatIntelIndicators.ndjson",
        [
            indicator("x", 5, "Feed"),
            indicator("x", 2000, "LogARepublisher"),
        ]
        .concat(),
    );
    let usage = |minutes: i64, quantity: f64, unit: &str| {
        format!(
            "{{\"TimeGenerated\":\"{}\",\"StartTime\":\"{}\",\"DataType\":\"Syslog\",\"Quantity\":{quantity},\"QuantityUnit\":\"{unit}\"}}\n",
            minute(minutes),
            minute(minutes - 60)
        )
    };
    world.write(
        "Usage.ndjson",
        [usage(120, 10.0, "MBytes"), usage(120, 1.5, "GBytes")].concat(),
    );
    let now = "2026-11-22T00:00:00Z";
    world.ingest(now).await;
    let alerts = world.buckets(Measure::Alerts, now).await;
    let seen: Vec<_> = alerts
        .iter()
        .map(|row| {
            (
                row.event_time,
                row.severity.as_str(),
                row.tactic.as_str(),
                row.value,
            )
        })
        .collect();
    let hour = at("2026-11-20T01:00:00Z");
    assert_eq!(
        seen,
        [(hour, "High", "Impact", 1.0), (hour, "Low", "Impact", 1.0)]
    );
    assert_eq!(world.count(Measure::ThreatIndicators, now).await, 1.0);
    let volume = world.buckets(Measure::IngestedMegabytes, now).await;
    assert_eq!(
        (
            volume[0].event_time,
            volume[0].product.as_str(),
            volume[0].value
        ),
        (hour, "Syslog", 1510.0)
    );
}

#[tokio::test]
async fn requests_are_checked_and_callers_too() {
    let world = World::new().await;
    let run = |run_id: &str, table: &str| IngestRequest {
        run_id: run_id.to_owned(),
        as_of: foretide_api::timestamp(at("2026-11-21T00:00:00Z")),
        tables: vec![table.to_owned()],
    };
    let id = RunId::new().to_string();
    for request in [
        run("not-an-id", "SecurityIncident"),
        run(&id, "Nope"),
        IngestRequest {
            as_of: None,
            ..run(&id, "SecurityIncident")
        },
    ] {
        let status = world.client().ingest(request).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
    let listed = world
        .client()
        .list_quarantine(ListQuarantineRequest {
            table: "Nope".to_owned(),
            limit: 1,
        })
        .await;
    assert_eq!(listed.unwrap_err().code(), Code::InvalidArgument);
    let viewer = Principal {
        name: "ada".to_owned(),
        roles: vec![Role::Viewer],
    };
    let mut client = IngestionServiceClient::new(world.server().channel_as(viewer));
    let refused = client
        .ingest(run(&id, "SecurityIncident"))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
}
