//! The synthetic workspace of the demo.

use chrono::{DateTime, Days, NaiveDate, Utc};
use foretide_calendar::{Calendar, CalendarConfig};
use foretide_domain::{SentinelTable, TimeSpan};
use foretide_synthetic_workspace::{Plan, PlantedEvent, Workspace};

use crate::cli::DemoArgs;

/// Country whose holidays Contoso keeps.
pub(super) const COUNTRY: &str = "DE";

/// First day of the workspace: fixed, so that the demo shows the same every day.
const START: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");

/// Days that are begun but not replayed to their end: the last forecast is issued in the morning of
/// the last one.
const DAYS_BEYOND: u32 = 1;

/// Contoso and the plan it was made from.
pub(super) struct Contoso {
    plan: Plan,
    workspace: Workspace,
}

impl Contoso {
    /// Makes the workspace: the history, and the days to be replayed after it.
    pub(super) fn generate(args: &DemoArgs) -> anyhow::Result<Self> {
        let mut plan = Plan::contoso(args.seed, START);
        plan.history_days = u32::from(args.days);
        plan.replay_days = u32::from(args.replay_days) + DAYS_BEYOND;
        plan.holidays = holidays(plan.span())?;
        let workspace = Workspace::generate(&plan)?;
        Ok(Self { plan, workspace })
    }

    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub(super) fn time_zone(&self) -> &'static str {
        self.plan.time_zone.name()
    }

    pub(super) fn start(&self) -> DateTime<Utc> {
        self.plan.span().start
    }

    pub(super) fn history_end(&self) -> DateTime<Utc> {
        self.plan.replay_start()
    }

    /// Days from the start, a begun one counted.
    pub(super) fn days_until(&self, until: DateTime<Utc>) -> u64 {
        let hours = (until - self.start()).num_hours();
        u64::try_from(hours).unwrap_or(0).div_ceil(24)
    }

    /// What was planted. Truth that no service is given, except for what was announced.
    pub(super) fn events(&self) -> &[PlantedEvent] {
        self.workspace.events()
    }

    /// Frees the memory of rows that are written.
    pub(super) fn forget_until(&mut self, until: DateTime<Utc>) {
        self.workspace.forget_arrivals_before(until);
    }

    /// Rows that have arrived by then.
    pub(super) fn rows_until(&self, until: DateTime<Utc>) -> usize {
        let arrived = |table| {
            self.workspace
                .rows(table)
                .iter()
                .filter(|row| row.arrived_at < until)
                .count()
        };
        SentinelTable::ALL.into_iter().map(arrived).sum()
    }
}

fn holidays(span: TimeSpan) -> anyhow::Result<Vec<NaiveDate>> {
    let calendar = Calendar::new(CalendarConfig {
        country: COUNTRY.to_owned(),
        ..Default::default()
    })?;
    let first = span.start.date_naive();
    let days = u64::try_from((span.end - span.start).num_days()).unwrap_or(0);
    let noon = |date: NaiveDate| date.and_hms_opt(12, 0, 0).map(|at| at.and_utc());
    Ok((0..days)
        .filter_map(|day| first.checked_add_days(Days::new(day)))
        .filter(|date| noon(*date).is_some_and(|at| calendar.holiday(at).is_some()))
        .collect())
}
