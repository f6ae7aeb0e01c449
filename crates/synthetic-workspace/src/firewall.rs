//! CommonSecurityLog: what the firewall let through and what it did not.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use foretide_domain::SentinelTable;
use rand::Rng;
use serde::Serialize;

use crate::rendering::{self, Stamp, TENANT_ID};
use crate::rows::Row;
use crate::world::{self, World};

const ALLOWED_PER_HOUR: f64 = 14.0;
/// The internet scans day and night, a little more by day.
const SCANNED_PER_HOUR: f64 = 12.0;
const PORTS: [u16; 6] = [22, 23, 443, 445, 3389, 8080];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns {
    time_generated: Stamp,
    tenant_id: &'static str,
    device_vendor: &'static str,
    device_product: &'static str,
    activity: &'static str,
    log_severity: &'static str,
    device_action: &'static str,
    simplified_device_action: &'static str,
    protocol: &'static str,
    communication_direction: &'static str,
    #[serde(rename = "SourceIP")]
    source_ip: Ipv4Addr,
    source_port: u16,
    #[serde(rename = "DestinationIP")]
    destination_ip: Ipv4Addr,
    destination_port: u16,
    sent_bytes: i64,
    received_bytes: i64,
    message: &'static str,
}

pub(crate) fn generate(world: &World, random: &mut impl Rng) -> Vec<Row> {
    let mut rows = Vec::new();
    for hour in &world.hours {
        let allowed = ALLOWED_PER_HOUR * hour.level * world.volume;
        for _ in 0..world::count(allowed, random) {
            rows.push(allow(rendering::within_hour(hour.start, random), random));
        }
        let scanned =
            SCANNED_PER_HOUR * (0.8 + 0.2 * hour.level) * (1.0 + world.surge(hour)) * world.volume;
        for _ in 0..world::count(scanned, random) {
            rows.push(deny(rendering::within_hour(hour.start, random), random));
        }
    }
    rows
}

fn allow(moment: DateTime<Utc>, random: &mut impl Rng) -> Row {
    let columns = Columns {
        device_action: "allow",
        simplified_device_action: "Allow",
        log_severity: "1",
        communication_direction: "Outbound",
        source_ip: rendering::inside_address(random.random_range(0..8192)),
        destination_ip: rendering::outside_address(random.random_range(100_000..110_000)),
        destination_port: 443,
        sent_bytes: random.random_range(500..50_000),
        received_bytes: random.random_range(1000..500_000),
        ..event(moment, random)
    };
    finish(moment, &columns, random)
}

fn deny(moment: DateTime<Utc>, random: &mut impl Rng) -> Row {
    let columns = Columns {
        device_action: "deny",
        simplified_device_action: "Deny",
        log_severity: "5",
        communication_direction: "Inbound",
        source_ip: rendering::outside_address(random.random_range(0..20_000)),
        destination_ip: rendering::inside_address(random.random_range(0..64)),
        destination_port: PORTS[random.random_range(0..PORTS.len())],
        ..event(moment, random)
    };
    finish(moment, &columns, random)
}

fn event(moment: DateTime<Utc>, random: &mut impl Rng) -> Columns {
    Columns {
        time_generated: Stamp(moment),
        tenant_id: TENANT_ID,
        device_vendor: "Contoso",
        device_product: "Synthetic Firewall",
        activity: "TRAFFIC",
        log_severity: "",
        device_action: "",
        simplified_device_action: "",
        protocol: "TCP",
        communication_direction: "",
        source_ip: Ipv4Addr::UNSPECIFIED,
        source_port: random.random_range(1024..65_000),
        destination_ip: Ipv4Addr::UNSPECIFIED,
        destination_port: 0,
        sent_bytes: 60,
        received_bytes: 0,
        message: "synthetic firewall event",
    }
}

fn finish(moment: DateTime<Utc>, columns: &Columns, random: &mut impl Rng) -> Row {
    let arrived_at = rendering::arrival(moment, random);
    rendering::row(
        SentinelTable::CommonSecurityLog,
        moment,
        arrived_at,
        columns,
    )
}
