//! SigninLogs: people working, and others trying their passwords.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use foretide_domain::SentinelTable;
use rand::Rng;
use serde::Serialize;

use crate::rendering::{self, Stamp, TENANT_ID};
use crate::rows::Row;
use crate::world::{self, World};

const PER_HOUR: f64 = 26.0;
const PEOPLE: u32 = 400;
const USUAL_FAILURES: f64 = 0.07;
/// Failed attempts an hour that a campaign brings, beyond the usual ones.
const SPRAYED_PER_HOUR: f64 = 9.0;
const APPLICATIONS: [&str; 4] = [
    "Office 365 Exchange Online",
    "Microsoft Teams",
    "Azure Portal",
    "Contoso Payroll",
];
/// Result type, what it means, share of failures.
const FAILURES: [(&str, &str, f64); 4] = [
    ("50126", "Invalid username or password", 0.60),
    ("50074", "Strong authentication is required", 0.22),
    ("53003", "Blocked by conditional access", 0.10),
    ("50053", "Account is locked", 0.08),
];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns<'a> {
    time_generated: Stamp,
    tenant_id: &'static str,
    result_type: &'static str,
    result_description: &'static str,
    category: &'static str,
    correlation_id: String,
    user_principal_name: &'a str,
    app_display_name: &'static str,
    #[serde(rename = "IPAddress")]
    ip_address: Ipv4Addr,
    location: &'static str,
}

pub(crate) fn generate(world: &World, random: &mut impl Rng) -> Vec<Row> {
    let mut rows = Vec::new();
    for hour in &world.hours {
        // people keep office hours even when attackers do not
        let usual = world::count(PER_HOUR * hour.level * world.volume, random);
        for _ in 0..usual {
            let moment = rendering::within_hour(hour.start, random);
            let person = random.random_range(0..PEOPLE);
            let address = if random.random_bool(0.7) {
                rendering::inside_address(256 + person % 64)
            } else {
                rendering::outside_address(65_536 + person)
            };
            let failed = random.random_bool(USUAL_FAILURES);
            rows.push(sign_in(moment, person, address, failed, random));
        }
        let sprayed = SPRAYED_PER_HOUR * world.surge(hour) * world.volume + 0.6 * world.volume;
        for _ in 0..world::count(sprayed, random) {
            let moment = rendering::within_hour(hour.start, random);
            let person = random.random_range(0..PEOPLE);
            let address = rendering::outside_address(random.random_range(0..4096));
            let failed = random.random_bool(0.98);
            rows.push(sign_in(moment, person, address, failed, random));
        }
    }
    rows
}

fn sign_in(
    moment: DateTime<Utc>,
    person: u32,
    address: Ipv4Addr,
    failed: bool,
    random: &mut impl Rng,
) -> Row {
    let (result_type, result_description) = if failed {
        let kind = world::pick(FAILURES.iter().map(|failure| failure.2), random);
        (FAILURES[kind].0, FAILURES[kind].1)
    } else {
        ("0", "")
    };
    let columns = Columns {
        time_generated: Stamp(moment),
        tenant_id: TENANT_ID,
        result_type,
        result_description,
        category: "SignInLogs",
        correlation_id: rendering::id(random).to_string(),
        user_principal_name: &format!("person{person:03}@contoso.example"),
        app_display_name: APPLICATIONS[random.random_range(0..APPLICATIONS.len())],
        ip_address: address,
        location: "DE",
    };
    let arrived_at = rendering::arrival(moment, random);
    rendering::row(SentinelTable::SigninLogs, moment, arrived_at, &columns)
}
