//! What the emulator remembers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};
use foretide_domain::SharedClock;
use foretide_synthetic_workspace::LargeWorkspace;
use serde_json::Value;

use crate::arm::Arm;
use crate::config::EmulatorConfig;
use crate::faults::{Fault, FaultAction};
use crate::query::EngineTables;
use crate::record::RecordedRequest;
use crate::tokens::Tokens;

/// Requests remembered; the oldest are forgotten first.
const REMEMBERED_REQUESTS: usize = 10_000;
/// Rows a table holds before further ones are refused.
pub(crate) const ROWS_A_TABLE: usize = 500_000;

pub(crate) struct State {
    pub(crate) config: EmulatorConfig,
    pub(crate) clock: SharedClock,
    pub(crate) tokens: Tokens,
    pub(crate) http: reqwest::Client,
    pub(crate) arm: Arm,
    pub(crate) generated: Option<LargeWorkspace>,
    /// The KQL engine's tables that rows were put into; held while that is done.
    pub(crate) engine: tokio::sync::Mutex<EngineTables>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    requests: VecDeque<RecordedRequest>,
    tables: BTreeMap<String, Vec<StoredRow>>,
    faults: Vec<Fault>,
}

struct StoredRow {
    row: Value,
    visible_at: DateTime<Utc>,
    /// Whether the KQL engine has it.
    in_engine: bool,
}

/// A row that the KQL engine does not have yet.
pub(crate) struct NewRow {
    pub(crate) row: Value,
    pub(crate) visible_at: DateTime<Utc>,
}

/// A table as it can be queried now.
pub(crate) struct TableView {
    pub(crate) rows: Vec<Value>,
    /// Rows accepted that do not show yet.
    pub(crate) pending: usize,
}

impl State {
    pub(crate) fn new(
        config: EmulatorConfig,
        clock: SharedClock,
        tokens: Tokens,
        http: reqwest::Client,
        generated: Option<LargeWorkspace>,
    ) -> Self {
        Self {
            config,
            generated,
            clock,
            tokens,
            http,
            arm: Arm::default(),
            engine: tokio::sync::Mutex::default(),
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, request: RecordedRequest) {
        let mut memory = self.memory();
        if memory.requests.len() >= REMEMBERED_REQUESTS {
            memory.requests.pop_front();
        }
        memory.requests.push_back(request);
    }

    pub(crate) fn requests(&self, path_prefix: &str) -> Vec<RecordedRequest> {
        let memory = self.memory();
        let wanted = memory
            .requests
            .iter()
            .filter(|request| request.path.starts_with(path_prefix));
        wanted.cloned().collect()
    }

    /// Stores rows; false when the table is full.
    pub(crate) fn store(&self, table: &str, rows: Vec<Value>, late_ms: u64) -> bool {
        let delay = self.config.visibility_delay_ms.saturating_add(late_ms);
        let delay = i64::try_from(delay).unwrap_or(i64::MAX);
        let delay = Duration::try_milliseconds(delay).unwrap_or(Duration::zero());
        let now = self.clock.now();
        let visible_at = now.checked_add_signed(delay).unwrap_or(now);
        let mut memory = self.memory();
        let stored = memory.tables.entry(table.to_owned()).or_default();
        if stored.len() + rows.len() > ROWS_A_TABLE {
            return false;
        }
        stored.extend(rows.into_iter().map(|row| StoredRow {
            row,
            visible_at,
            in_engine: false,
        }));
        true
    }

    /// Names of the tables that hold rows.
    pub(crate) fn tables(&self) -> Vec<String> {
        self.memory().tables.keys().cloned().collect()
    }

    /// Up to `most` rows of a table that show by now and that the KQL engine does not have yet;
    /// they count as given to it.
    pub(crate) fn take_for_engine(&self, table: &str, most: usize) -> Vec<NewRow> {
        let now = self.clock.now();
        let mut memory = self.memory();
        let Some(stored) = memory.tables.get_mut(table) else {
            return Vec::new();
        };
        let new = stored
            .iter_mut()
            .filter(|stored| !stored.in_engine && stored.visible_at <= now);
        new.take(most)
            .map(|stored| {
                stored.in_engine = true;
                NewRow {
                    row: stored.row.clone(),
                    visible_at: stored.visible_at,
                }
            })
            .collect()
    }

    pub(crate) fn table(&self, table: &str) -> TableView {
        let now = self.clock.now();
        let memory = self.memory();
        let stored = memory.tables.get(table).map_or(&[][..], Vec::as_slice);
        let rows: Vec<Value> = stored
            .iter()
            .filter(|stored| stored.visible_at <= now)
            .map(|stored| stored.row.clone())
            .collect();
        let pending = stored.len() - rows.len();
        TableView { rows, pending }
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.memory().faults.push(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.memory().faults.clear();
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.memory().faults.clone()
    }

    /// The fault that is to befall a request, if there is one; uses it up once.
    pub(crate) fn take_fault(&self, method: &http::Method, path: &str) -> Option<FaultAction> {
        let mut memory = self.memory();
        let index = memory
            .faults
            .iter()
            .position(|fault| fault.matches(method, path))?;
        let fault = &mut memory.faults[index];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let action = fault.action.clone();
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            memory.faults.remove(index);
        }
        Some(action)
    }

    pub(crate) fn reset(&self) {
        *self.memory() = Memory::default();
        self.arm.reset();
        // rows that were put into the KQL engine are to go before the next query
        match self.engine.try_lock() {
            Ok(mut engine) => engine.forget(),
            Err(_) => tracing::warn!("reset during a query: its rows stay in the KQL engine"),
        }
    }
}
