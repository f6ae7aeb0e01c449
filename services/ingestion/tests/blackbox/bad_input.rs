//! Whatever is wrong with the input: it is named, counted, and the rest goes on.

use std::fs::{self, File};
use std::io::Write;
use std::time::SystemTime;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_domain::{Measure, RunId};

use crate::world::{Incident, World, at, exported};

const NOW: &str = "2026-11-21T00:00:00Z";

fn good(number: u32) -> String {
    Incident::new(number, 545, "High").line()
}

#[tokio::test]
async fn every_bad_row_is_quarantined_with_its_reason() {
    let world = World::new().await;
    let row = good(1);
    let mut content = Vec::new();
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (b"{\"TimeGenerated\": \n".to_vec(), "malformed_json"),
        (b"[1,2,3]\n".to_vec(), "not_an_object"),
        (b"{\"a\":\"\xff\xfe\"}\n".to_vec(), "not_utf8"),
        (b"{}\n".to_vec(), "missing_time"),
        (
            row.replace("\"IncidentName\":\"incident-1\"", "\"IncidentName\":\" \"")
                .into_bytes(),
            "missing_identity",
        ),
        (
            row.replace("2026-11-20T09:05:00.000Z", "last week")
                .into_bytes(),
            "bad_time",
        ),
        (
            row.replace("\"CreatedTime\":\"2026", "\"CreatedTime\":\"1987")
                .into_bytes(),
            "implausible_time",
        ),
        (
            row.replace("\"IncidentName\":\"incident-1\"", "\"IncidentName\":{}")
                .into_bytes(),
            "wrong_type",
        ),
        (
            format!(
                "{{\"TimeGenerated\":\"{}\"}}\n",
                "9".repeat(2 * 1024 * 1024)
            )
            .into_bytes(),
            "oversized_line",
        ),
        (
            row.replace("incident-1", &"x".repeat(70_000)).into_bytes(),
            "oversized_field",
        ),
    ];
    for (line, _) in &bad {
        content.extend_from_slice(line);
        content.extend_from_slice(good(7).as_bytes());
    }
    world.write("SecurityIncident.ndjson", &content);
    let summary = world.ingest(NOW).await;
    let incidents = &summary["SecurityIncident"];
    assert_eq!(incidents.rows_quarantined, bad.len() as u64);
    assert_eq!(incidents.rows_read, 2 * bad.len() as u64);
    assert_eq!(incidents.error, "");
    let rows = world.quarantine("SecurityIncident").await;
    let mut seen: Vec<_> = rows
        .iter()
        .map(|row| (row.line, row.reason.as_str()))
        .collect();
    seen.sort_unstable();
    let expected: Vec<_> = bad
        .iter()
        .enumerate()
        .map(|(at, (_, reason))| (2 * at as u64 + 1, *reason))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(world.count(Measure::Incidents, NOW).await, 1.0);
    assert_eq!(
        world.watermarks().await[0].rows_quarantined,
        bad.len() as u64
    );

    // a second look refuses nothing twice
    world.append("SecurityIncident.ndjson", &good(8));
    world.ingest("2026-11-21T01:00:00Z").await;
    assert_eq!(world.quarantine("SecurityIncident").await.len(), bad.len());
}

#[tokio::test]
async fn negative_and_unmeasured_amounts_are_refused() {
    let world = World::new().await;
    let usage = |quantity: &str, unit: &str| {
        format!(
            "{{\"TimeGenerated\":\"2026-11-20T10:00:00Z\",\"DataType\":\"X\",\"Quantity\":{quantity},\"QuantityUnit\":\"{unit}\"}}\n"
        )
    };
    world.write(
        "Usage.ndjson",
        [
            usage("-5", "MBytes"),
            usage("\"lots\"", "MBytes"),
            usage("5", "Bananas"),
            usage("5", "MBytes"),
        ]
        .concat(),
    );
    world.ingest(NOW).await;
    let reasons = world.reasons("Usage").await;
    assert_eq!(
        reasons.keys().map(String::as_str).collect::<Vec<_>>(),
        ["negative_amount", "unknown_unit", "wrong_type"]
    );
    assert_eq!(world.count(Measure::IngestedMegabytes, NOW).await, 5.0);
}

#[tokio::test]
async fn a_row_far_from_its_export_folder_is_refused() {
    let world = World::new().await;
    world.write(
        &exported("securityincident", "y=2026/m=11/d=10/h=09/m=00"),
        good(1),
    );
    world.ingest(NOW).await;
    assert_eq!(
        world.reasons("SecurityIncident").await["implausible_time"],
        1
    );
}

#[tokio::test]
async fn an_open_last_line_waits_for_its_rest_and_is_given_up_when_old() {
    let world = World::new().await;
    let (line, path) = (good(1), "SecurityIncident.ndjson");
    let (head, tail) = line.split_at(100);
    world.write(path, head);
    let set_age = |hours: i64| {
        let modified = at(NOW) - TimeDelta::hours(hours);
        File::options()
            .write(true)
            .open(world.path(path))
            .unwrap()
            .set_modified(SystemTime::from(modified))
            .unwrap();
    };
    set_age(0);
    let summary = world.ingest(NOW).await;
    assert_eq!(summary["SecurityIncident"].rows_read, 0);
    world.append(path, tail);
    world.ingest(NOW).await;
    assert_eq!(world.count(Measure::Incidents, NOW).await, 1.0);
    assert!(world.quarantine("SecurityIncident").await.is_empty());

    world.append(path, head);
    set_age(5);
    world.ingest(NOW).await;
    assert_eq!(world.reasons("SecurityIncident").await["truncated_line"], 1);
}

#[tokio::test]
async fn a_complete_last_line_needs_no_end() {
    let world = World::new().await;
    world.write("SecurityIncident.ndjson", good(1).trim_end());
    world.ingest(NOW).await;
    assert_eq!(world.count(Measure::Incidents, NOW).await, 1.0);
}

#[tokio::test]
async fn broken_objects_are_quarantined_whole_and_do_not_stop_others() {
    let world = World::new().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all((0..500).map(good).collect::<String>().as_bytes())
        .unwrap();
    let gz = encoder.finish().unwrap();
    world.write("SecurityIncident/cut.json.gz", &gz[..gz.len() / 2]);
    world.write("SecurityIncident/not.json.gz", b"this is no gzip");
    world.write(
        "SecurityIncident/not.parquet",
        b"PAR1 this is no table PAR1",
    );
    world.write("SecurityIncident/foreign.csv", "a,b\n1,2\n");
    world.write("SecurityIncident/good.json", good(1));
    world.write("SecurityAlert.csv", "TimeGenerated,SystemAlertId,AlertSeverity\n2026-11-20T09:00:00Z,a,High\n2026-11-20T09:00:00Z,b\n");
    let summary = world.ingest(NOW).await;
    assert_eq!(world.count(Measure::Incidents, NOW).await, 1.0);
    assert_eq!(world.count(Measure::Alerts, NOW).await, 1.0);
    assert_eq!(summary["SecurityIncident"].rows_quarantined, 4);
    let mut objects: Vec<_> = world
        .quarantine("SecurityIncident")
        .await
        .into_iter()
        .map(|row| (row.object, row.line, row.reason))
        .collect();
    objects.sort();
    let expected = [
        ("SecurityIncident/cut.json.gz", 0, "broken_object"),
        ("SecurityIncident/foreign.csv", 0, "missing_column"),
        ("SecurityIncident/not.json.gz", 0, "broken_object"),
        ("SecurityIncident/not.parquet", 0, "broken_object"),
    ];
    assert_eq!(
        objects,
        expected.map(|(object, line, reason)| (object.to_owned(), line, reason.to_owned()))
    );
    assert_eq!(world.reasons("SecurityAlert").await["malformed_csv"], 1);
    // they are not read again until they change
    world.ingest("2026-11-21T01:00:00Z").await;
    assert_eq!(world.quarantine("SecurityIncident").await.len(), 4);
}

#[tokio::test]
async fn a_gzip_bomb_is_defused() {
    let world = World::new().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b'\n'; 1024 * 1024];
    for _ in 0..64 {
        encoder.write_all(&zeros).unwrap();
    }
    world.write("SecurityIncident.json.gz", encoder.finish().unwrap());
    let refusal = world.try_ingest(RunId::new(), at(NOW), &[]).await;
    let refusal = refusal.expect_err("nothing could be read");
    assert!(refusal.message().contains("oversized_object"), "{refusal}");
    assert_eq!(
        world.reasons("SecurityIncident").await["oversized_object"],
        1
    );
}

#[tokio::test]
async fn a_sample_never_shows_an_identifier() {
    let world = World::new().await;
    world.write(
        "SigninLogs.ndjson",
        "{\"UserPrincipalName\":\"ada@contoso.example\",\"IPAddress\":\"198.51.100.7\",\n",
    );
    world.ingest(NOW).await;
    assert_eq!(world.reasons("SigninLogs").await["malformed_json"], 1);
    for name in ["ingestion.db", "ingestion.db-wal"] {
        let file = world.folder().path().join("db").join(name);
        let content = fs::read(file).unwrap_or_default();
        for secret in ["ada@contoso", "198.51.100"] {
            assert!(
                !content
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes()),
                "{secret} in {name}"
            );
        }
    }
}

#[tokio::test]
async fn stray_files_are_left_alone() {
    let world = World::new().await;
    world.write("README.md", "x");
    world.write("am-unknowntable/x/PT05M.json", "x");
    world.write("SecurityIncident/notes.txt", "x");
    world.write("SecurityIncident/empty.json", "");
    let summary = world.ingest(NOW).await;
    assert!(
        summary
            .values()
            .all(|table| table.rows_read == 0 && table.error.is_empty())
    );
}
