//! Files of ready-made counts, and files of others through a mapping.

use foretide_domain::Measure;
use foretide_ingestion::config::{CountsColumns, CountsConfig, CountsLabels, MappingConfig};

use crate::files::gzip;
use crate::world::World;

#[tokio::test]
async fn ready_made_counts_are_taken_and_corrected() {
    let world = World::with(|files| {
        files.counts.push(CountsConfig {
            path: "counts/hourly.csv.gz".to_owned(),
            measure: Measure::Incidents,
            columns: CountsColumns::default(),
            series: [(
                "rdp".to_owned(),
                CountsLabels {
                    severity: "High".to_owned(),
                    product: "RDP".to_owned(),
                    tactic: String::new(),
                },
            )]
            .into(),
        });
    })
    .await;
    let csv = |third: u32| {
        format!(
            "unique_id,ds,y\nrdp,2026-11-20 09:00:00,5\nrdp,2026-11-20 10:00:00,{third}\nother,2026-11-20 09:00:00,9\nrdp,2026-11-20 12:00:00,7\n"
        )
    };
    world.write("counts/hourly.csv.gz", gzip(&csv(6)));
    world.ingest("2026-11-20T12:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T12:00:00Z")
            .await,
        11.0
    );
    // the hour from 12 was not over yet
    world.ingest("2026-11-20T13:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T13:00:00Z")
            .await,
        18.0
    );
    world.write("counts/hourly.csv.gz", gzip(&csv(60)));
    world.ingest("2026-11-20T14:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T14:00:00Z")
            .await,
        72.0
    );
}

#[tokio::test]
async fn a_foreign_file_is_read_through_a_mapping() {
    let world = World::with(|files| {
        let mapping = MappingConfig {
            table: foretide_domain::SentinelTable::SigninLogs,
            columns: [
                ("ResultType".to_owned(), "EventID".to_owned()),
                ("IPAddress".to_owned(), "IpAddress".to_owned()),
            ]
            .into(),
            values: [(
                "ResultType".to_owned(),
                [("4624".to_owned(), "0".to_owned())].into(),
            )]
            .into(),
        };
        files.mappings.insert("logons.csv".to_owned(), mapping);
    })
    .await;
    let rows = ",EventID,TimeGenerated,IpAddress\n0,4624,2026-11-20 05:15:02.980,-\n1,4625,2026-11-20 05:16:00.000,198.51.100.7\n";
    world.write("logons.csv", rows);
    world.ingest("2026-11-21T00:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::FailedLogins, "2026-11-21T00:00:00Z")
            .await,
        1.0
    );
    assert_eq!(
        world
            .count(Measure::UniqueSourceIpsDaily, "2026-11-21T00:00:00Z")
            .await,
        1.0
    );
}
