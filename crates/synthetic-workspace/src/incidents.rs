//! SecurityIncident, an append log, and the SecurityAlert rows behind it.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::SentinelTable;
use rand::Rng;
use rand_distr::{Distribution, LogNormal};
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalogue::{PRODUCTS, Product, Rule, SEVERITIES};
use crate::events::PlantedEvent;
use crate::rendering::{self, Stamp, TENANT_ID};
use crate::rows::Row;
use crate::world::{self, Hour, World};

const INCIDENTS_PER_HOUR: f64 = 3.8;
/// Alerts that no incident was made of.
const LONE_ALERTS_PER_HOUR: f64 = 5.0;
const ANALYSTS: u32 = 12;
const SEVERITY_CHANGED: f64 = 0.10;
const REOPENED: f64 = 0.05;
const ALERT_UPDATED: f64 = 0.20;
/// Classification, its reason and its share, as the portal pairs them.
const VERDICTS: [(&str, &str, f64); 4] = [
    ("TruePositive", "SuspiciousActivity", 0.30),
    ("BenignPositive", "SuspiciousButExpected", 0.34),
    ("FalsePositive", "IncorrectAlertLogic", 0.22),
    ("Undetermined", "", 0.14),
];

/// What stays the same over all rows of an incident.
struct Incident<'a> {
    number: usize,
    name: String,
    title: &'a str,
    created: DateTime<Utc>,
    alert_ids: Vec<String>,
    additional: Value,
    rule_id: String,
}

/// What changes from row to row.
#[derive(Clone)]
struct State {
    severity: usize,
    status: &'static str,
    owner: Option<u32>,
    first_modified: Option<DateTime<Utc>>,
    closed: Option<(DateTime<Utc>, usize)>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IncidentColumns<'a> {
    time_generated: Stamp,
    tenant_id: &'static str,
    incident_name: &'a str,
    incident_number: usize,
    title: &'a str,
    description: &'static str,
    severity: &'static str,
    status: &'static str,
    classification: &'static str,
    classification_reason: &'static str,
    owner: &'a Value,
    provider_name: &'static str,
    first_activity_time: Stamp,
    last_activity_time: Stamp,
    first_modified_time: Option<Stamp>,
    last_modified_time: Stamp,
    created_time: Stamp,
    closed_time: Option<Stamp>,
    related_analytic_rule_ids: [&'a str; 1],
    alert_ids: &'a [String],
    additional_data: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlertColumns<'a> {
    time_generated: Stamp,
    tenant_id: &'static str,
    alert_name: &'a str,
    alert_severity: &'static str,
    description: &'static str,
    provider_name: &'static str,
    product_name: &'static str,
    system_alert_id: &'a str,
    alert_type: &'a str,
    start_time: Stamp,
    processing_end_time: Stamp,
    status: &'static str,
    compromised_entity: &'a str,
    tactics: &'a str,
    techniques: &'a str,
}

struct Writer<'a, R> {
    random: &'a mut R,
    incidents: Vec<Row>,
    alerts: Vec<Row>,
    numbers: usize,
}

/// Generates both tables, since incidents name the alerts they were made of.
pub(crate) fn generate(world: &World, random: &mut impl Rng) -> (Vec<Row>, Vec<Row>) {
    let mut writer = Writer {
        random,
        incidents: Vec::new(),
        alerts: Vec::new(),
        numbers: 1000,
    };
    for hour in &world.hours {
        let is_attacked = world.surge(hour) > 0.0;
        let expected = INCIDENTS_PER_HOUR * hour.level * world.volume;
        for product in &PRODUCTS {
            let mean = expected * (product.share + planted_share(world, hour, product));
            for _ in 0..world::count(mean, writer.random) {
                writer.incident(hour, product, is_attacked);
            }
        }
        let lone = LONE_ALERTS_PER_HOUR * hour.level * world.volume;
        for _ in 0..world::count(lone, writer.random) {
            let moment = rendering::within_hour(hour.start, writer.random);
            let product =
                &PRODUCTS[world::pick(PRODUCTS.iter().map(|product| product.share), writer.random)];
            let (rule, severity) = writer.draw_rule(product, false);
            writer.alert(moment, product, rule, severity);
        }
    }
    (writer.incidents, writer.alerts)
}

/// What planted events add to a product's share.
fn planted_share(world: &World, hour: &Hour, product: &Product) -> f64 {
    let added = |event: &PlantedEvent| event.added(hour.start) * event.share(product);
    world.events.iter().map(added).sum()
}

impl<R: Rng> Writer<'_, R> {
    fn draw_rule(
        &mut self,
        product: &'static Product,
        is_attacked: bool,
    ) -> (&'static Rule, usize) {
        let rule = &product.rules[self.random.random_range(0..product.rules.len())];
        let severity = world::pick(rule.severities, self.random);
        // under attack more of what is seen is serious
        let lifted = is_attacked && severity > 0 && self.random.random_bool(0.3);
        (rule, severity - usize::from(lifted))
    }

    fn incident(&mut self, hour: &Hour, product: &'static Product, is_attacked: bool) {
        let created = rendering::within_hour(hour.start, self.random);
        let (rule, severity) = self.draw_rule(product, is_attacked);
        let alert_count = 1 + world::count(0.8, self.random);
        let alert_ids: Vec<String> = (0..alert_count)
            .map(|_| {
                let before = Duration::seconds(self.random.random_range(30..1800));
                self.alert(created - before, product, rule, severity)
            })
            .collect();
        self.numbers += 1;
        let incident = Incident {
            number: self.numbers,
            name: rendering::id(self.random).to_string(),
            title: rule.title,
            created,
            additional: json!({
                "alertsCount": alert_count,
                "bookmarksCount": 0,
                "commentsCount": 0,
                "alertProductNames": [product.name],
                "tactics": rule.tactics,
                "techniques": [rule.technique],
            }),
            alert_ids,
            rule_id: format!("synthetic-rule-{}", rule.technique),
        };
        self.lifecycle(&incident, severity);
    }

    /// Opened, taken up, perhaps regraded, closed, perhaps opened and closed again.
    fn lifecycle(&mut self, incident: &Incident<'_>, severity: usize) {
        let mut state = State {
            severity,
            status: "New",
            owner: None,
            first_modified: None,
            closed: None,
        };
        self.incident_row(incident, &state, incident.created);
        let mut moment = incident.created + self.delay_minutes(35.0, 1.0);
        state.status = "Active";
        state.owner = Some(self.random.random_range(0..ANALYSTS));
        state.first_modified = Some(moment);
        self.incident_row(incident, &state, moment);
        if self.random.random_bool(SEVERITY_CHANGED) {
            moment += self.delay_minutes(60.0, 0.8);
            let raised =
                state.severity == 3 || (state.severity > 0 && self.random.random_bool(0.5));
            state.severity = if raised {
                state.severity - 1
            } else {
                state.severity + 1
            };
            self.incident_row(incident, &state, moment);
        }
        moment += self.delay_minutes(300.0, 1.2);
        self.close(incident, &mut state, moment);
        if self.random.random_bool(REOPENED) {
            moment += self.delay_minutes(600.0, 0.8);
            state.status = "Active";
            state.closed = None;
            self.incident_row(incident, &state, moment);
            moment += self.delay_minutes(240.0, 0.8);
            self.close(incident, &mut state, moment);
        }
    }

    fn close(&mut self, incident: &Incident<'_>, state: &mut State, moment: DateTime<Utc>) {
        let verdict = world::pick(VERDICTS.iter().map(|verdict| verdict.2), self.random);
        state.status = "Closed";
        state.closed = Some((moment, verdict));
        self.incident_row(incident, state, moment);
    }

    fn delay_minutes(&mut self, median: f64, spread: f64) -> Duration {
        let distribution =
            LogNormal::new(median.ln(), spread).expect("the spread is finite and above 0");
        let minutes = distribution.sample(self.random).clamp(1.0, 20_000.0);
        Duration::milliseconds((minutes * 60_000.0) as i64)
    }

    fn incident_row(&mut self, incident: &Incident<'_>, state: &State, modified: DateTime<Utc>) {
        let verdict = state.closed.map(|(_, verdict)| VERDICTS[verdict]);
        let owner = state.owner.map_or_else(
            || json!({ "assignedTo": null, "email": null }),
            |analyst| {
                json!({
                    "assignedTo": format!("Synthetic Analyst {analyst}"),
                    "email": format!("analyst{analyst}@contoso.example"),
                })
            },
        );
        let columns = IncidentColumns {
            time_generated: Stamp(modified),
            tenant_id: TENANT_ID,
            incident_name: &incident.name,
            incident_number: incident.number,
            title: incident.title,
            description: "A synthetic incident of the invented company Contoso",
            severity: SEVERITIES[state.severity],
            status: state.status,
            classification: verdict.map_or("", |verdict| verdict.0),
            classification_reason: verdict.map_or("", |verdict| verdict.1),
            owner: &owner,
            provider_name: "Azure Sentinel",
            first_activity_time: Stamp(incident.created - Duration::minutes(30)),
            last_activity_time: Stamp(incident.created),
            first_modified_time: state.first_modified.map(Stamp),
            last_modified_time: Stamp(modified),
            created_time: Stamp(incident.created),
            closed_time: state.closed.map(|(moment, _)| Stamp(moment)),
            related_analytic_rule_ids: [&incident.rule_id],
            alert_ids: &incident.alert_ids,
            additional_data: &incident.additional,
        };
        let arrived_at = rendering::arrival(modified, self.random);
        self.incidents.push(rendering::row(
            SentinelTable::SecurityIncident,
            modified,
            arrived_at,
            &columns,
        ));
    }

    /// Writes an alert's rows and gives its id.
    fn alert(
        &mut self,
        moment: DateTime<Utc>,
        product: &'static Product,
        rule: &Rule,
        severity: usize,
    ) -> String {
        let id = rendering::id(self.random).to_string();
        let host = format!("HOST{:03}", self.random.random_range(0..250));
        self.alert_row(moment, moment, product, rule, severity, &id, &host, "New");
        if self.random.random_bool(ALERT_UPDATED) {
            let later = moment + self.delay_minutes(90.0, 0.9);
            self.alert_row(
                moment, later, product, rule, severity, &id, &host, "Resolved",
            );
        }
        id
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    fn alert_row(
        &mut self,
        started: DateTime<Utc>,
        generated: DateTime<Utc>,
        product: &'static Product,
        rule: &Rule,
        severity: usize,
        id: &str,
        host: &str,
        status: &'static str,
    ) {
        let columns = AlertColumns {
            time_generated: Stamp(generated),
            tenant_id: TENANT_ID,
            alert_name: rule.title,
            alert_severity: SEVERITIES[severity],
            description: "A synthetic alert of the invented company Contoso",
            provider_name: product.name,
            product_name: product.name,
            system_alert_id: id,
            alert_type: rule.technique,
            start_time: Stamp(started - Duration::minutes(5)),
            processing_end_time: Stamp(generated),
            status,
            compromised_entity: host,
            tactics: &rule.tactics.join(", "),
            techniques: rule.technique,
        };
        let arrived_at = rendering::arrival(generated, self.random);
        self.alerts.push(rendering::row(
            SentinelTable::SecurityAlert,
            generated,
            arrived_at,
            &columns,
        ));
    }
}
