//! Every query there is, by its name.

use foretide_domain::{Measure, SentinelTable};

use crate::arrivals::{arrivals_query, newest_query};
use crate::kql::count_query;

/// A query with its name, as it lies under `kql/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Path under `kql/`, without the ending.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Every query there is.
#[must_use]
pub fn statements() -> Vec<Statement> {
    let counts = Measure::ALL.map(|measure| Statement {
        name: format!("counts/{measure}"),
        text: count_query(measure),
    });
    let arrivals = Measure::ALL.map(|measure| Statement {
        name: format!("arrivals/{measure}"),
        text: arrivals_query(measure),
    });
    let newest = SentinelTable::ALL.map(|table| Statement {
        name: format!("newest/{table}"),
        text: newest_query(table),
    });
    counts.into_iter().chain(arrivals).chain(newest).collect()
}

/// A query of a name, if there is one.
#[must_use]
pub fn statement(name: &str) -> Option<Statement> {
    statements()
        .into_iter()
        .find(|statement| statement.name == name)
}
