//! ThreatIntelIndicators: new ones, and the old ones published again every 7 to 10 days.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::SentinelTable;
use rand::Rng;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::rendering::{self, Stamp, TENANT_ID};
use crate::rows::Row;
use crate::world::{self, World};

/// Feeds are read every six hours.
const FEED_HOURS: usize = 6;
const NEW_PER_FEED: f64 = 9.0;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns<'a> {
    time_generated: Stamp,
    tenant_id: &'static str,
    id: &'a str,
    last_update_method: &'static str,
    is_deleted: bool,
    is_active: bool,
    revoked: bool,
    created: Stamp,
    modified: Stamp,
    valid_from: Stamp,
    valid_until: Stamp,
    tags: &'static str,
    confidence: i32,
    pattern: &'a str,
    observable_key: &'static str,
    observable_value: &'a str,
    data: &'a serde_json::Value,
}

struct Indicator {
    id: Uuid,
    address: String,
    created: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    confidence: i32,
}

pub(crate) fn generate(world: &World, random: &mut impl Rng) -> Vec<Row> {
    let mut rows = Vec::new();
    for hour in world.hours.iter().step_by(FEED_HOURS) {
        // a campaign shows in the feeds, too
        let mean = NEW_PER_FEED * (0.7 + 0.3 * hour.level) * (1.0 + 0.8 * world.surge(hour));
        for _ in 0..world::count(mean * world.volume, random) {
            let created = hour.start + Duration::seconds(random.random_range(60..900));
            let indicator = Indicator {
                id: rendering::id(random),
                address: rendering::outside_address(random.random_range(0..20_000)).to_string(),
                created,
                valid_until: created + Duration::days(random.random_range(14..31)),
                confidence: random.random_range(40..100),
            };
            publish(&indicator, world.span.end, &mut rows, random);
        }
    }
    rows
}

fn publish(indicator: &Indicator, end: DateTime<Utc>, rows: &mut Vec<Row>, random: &mut impl Rng) {
    let mut moment = indicator.created;
    let mut method = "SyntheticFeed";
    while moment < end && moment < indicator.valid_until {
        let id = format!("indicator--{}", indicator.id);
        let columns = Columns {
            time_generated: Stamp(moment),
            tenant_id: TENANT_ID,
            id: &id,
            last_update_method: method,
            is_deleted: false,
            is_active: true,
            revoked: false,
            created: Stamp(indicator.created),
            modified: Stamp(indicator.created),
            valid_from: Stamp(indicator.created),
            valid_until: Stamp(indicator.valid_until),
            tags: "synthetic",
            confidence: indicator.confidence,
            pattern: &format!("[ipv4-addr:value = '{}']", indicator.address),
            observable_key: "ipv4-addr:value",
            observable_value: &indicator.address,
            data: &json!({ "type": "indicator", "name": "synthetic indicator" }),
        };
        let arrived_at = rendering::arrival(moment, random);
        rows.push(rendering::row(
            SentinelTable::ThreatIntelIndicators,
            moment,
            arrived_at,
            &columns,
        ));
        moment += Duration::hours(random.random_range(7 * 24..10 * 24));
        method = "LogARepublisher";
    }
}
