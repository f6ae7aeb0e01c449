//! The workspace: its rows and the truth behind them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use foretide_domain::{SentinelTable, TimeSpan, floor_hour};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::events::{self, PlantedEvent};
use crate::plan::{Plan, PlanError};
use crate::world::World;
use crate::{blemishes, firewall, incidents, indicators, sign_ins, usage};

/// One line of an exported table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its `TimeGenerated`: decides the folder it is exported to.
    pub time_generated: DateTime<Utc>,
    /// When the workspace received it: its `_ArrivalTime`.
    pub arrived_at: DateTime<Utc>,
    /// The JSON object, without a line end. A few are broken on purpose.
    pub line: Box<str>,
}

/// A generated workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    span: TimeSpan,
    events: Vec<PlantedEvent>,
    tables: BTreeMap<SentinelTable, Vec<Row>>,
}

impl Workspace {
    /// Makes the workspace a plan describes. The same plan gives the same bytes.
    ///
    /// # Errors
    /// When the plan cannot be carried out.
    pub fn generate(plan: &Plan) -> Result<Self, PlanError> {
        plan.validate()?;
        let world = World::new(plan, events::draw(plan, &mut source(plan, Stream::Events)));
        let (incident_rows, alert_rows) =
            incidents::generate(&world, &mut source(plan, Stream::Incidents));
        let mut tables = BTreeMap::from([
            (SentinelTable::SecurityIncident, incident_rows),
            (SentinelTable::SecurityAlert, alert_rows),
            (
                SentinelTable::SigninLogs,
                sign_ins::generate(&world, &mut source(plan, Stream::SignIns)),
            ),
            (
                SentinelTable::CommonSecurityLog,
                firewall::generate(&world, &mut source(plan, Stream::Firewall)),
            ),
            (
                SentinelTable::Usage,
                usage::generate(&world, &mut source(plan, Stream::Usage)),
            ),
            (
                SentinelTable::ThreatIntelIndicators,
                indicators::generate(&world, &mut source(plan, Stream::Indicators)),
            ),
        ]);
        let mut blemish_source = source(plan, Stream::Blemishes);
        for rows in tables.values_mut() {
            rows.retain(|row| row.time_generated < world.span.end);
            blemishes::add(rows, &mut blemish_source);
            rows.sort_by_cached_key(|row| (floor_hour(row.time_generated), row.arrived_at));
        }
        Ok(Self {
            span: world.span,
            events: world.events,
            tables,
        })
    }

    /// First and last moment of the workspace.
    #[must_use]
    pub fn span(&self) -> TimeSpan {
        self.span
    }

    /// The truth: what was planted, and whether it was announced. Ordered by start.
    #[must_use]
    pub fn events(&self) -> &[PlantedEvent] {
        &self.events
    }

    /// Drops the rows that had arrived by then, which are usually written already, and their memory.
    pub fn forget_arrivals_before(&mut self, moment: DateTime<Utc>) {
        for rows in self.tables.values_mut() {
            rows.retain(|row| row.arrived_at >= moment);
            rows.shrink_to_fit();
        }
    }

    /// The rows of a table, by hour of `TimeGenerated` and then in order of arrival.
    #[must_use]
    pub fn rows(&self, table: SentinelTable) -> &[Row] {
        self.tables.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The tables it has rows of.
    pub fn tables(&self) -> impl Iterator<Item = SentinelTable> + use<'_> {
        self.tables.keys().copied()
    }

    /// Rows in all tables together.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.tables.values().map(Vec::len).sum()
    }
}

/// Each table has a random stream of its own, so that changing one leaves the others as they are.
#[derive(Clone, Copy)]
enum Stream {
    Incidents = 1,
    SignIns = 2,
    Firewall = 3,
    Usage = 4,
    Indicators = 5,
    Blemishes = 6,
    Events = 7,
}

fn source(plan: &Plan, stream: Stream) -> ChaCha8Rng {
    let mut source = ChaCha8Rng::seed_from_u64(plan.seed);
    source.set_stream(stream as u64);
    source
}
