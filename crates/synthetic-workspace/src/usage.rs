//! Usage: what was ingested, by table and hour.

use chrono::Duration;
use foretide_domain::SentinelTable;
use rand::Rng;
use serde::Serialize;

use crate::rendering::{self, Stamp, TENANT_ID};
use crate::rows::Row;
use crate::world::World;

/// Table, its solution, megabytes in an average hour, share that does not follow the working day.
const TABLES: [(&str, &str, f64, f64); 6] = [
    ("CommonSecurityLog", "Security", 410.0, 0.75),
    ("SecurityEvent", "Security", 520.0, 0.55),
    ("SigninLogs", "LogManagement", 36.0, 0.25),
    ("OfficeActivity", "SecurityInsights", 22.0, 0.20),
    ("SecurityAlert", "Security", 1.4, 0.40),
    ("Syslog", "LogManagement", 150.0, 0.90),
];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns {
    time_generated: Stamp,
    tenant_id: &'static str,
    start_time: Stamp,
    end_time: Stamp,
    data_type: &'static str,
    solution: &'static str,
    quantity: f64,
    quantity_unit: &'static str,
    is_billable: bool,
    resource_uri: &'static str,
}

pub(crate) fn generate(world: &World, random: &mut impl Rng) -> Vec<Row> {
    let mut rows = Vec::new();
    for hour in &world.hours {
        let end = hour.start + Duration::hours(1);
        for (data_type, solution, megabytes, steady) in TABLES {
            let level = steady + (1.0 - steady) * hour.level * (1.0 + 0.3 * world.surge(hour));
            let quantity = megabytes * level * random.random_range(0.9..1.1) * world.volume;
            let columns = Columns {
                time_generated: Stamp(end),
                tenant_id: TENANT_ID,
                start_time: Stamp(hour.start),
                end_time: Stamp(end),
                data_type,
                solution,
                quantity: (quantity * 1000.0).round() / 1000.0,
                quantity_unit: "MBytes",
                is_billable: true,
                resource_uri: "synthetic",
            };
            // usage is metered an hour or two behind
            let arrived_at = end + Duration::seconds(random.random_range(600..5400));
            rows.push(rendering::row(
                SentinelTable::Usage,
                end,
                arrived_at,
                &columns,
            ));
        }
    }
    rows
}
