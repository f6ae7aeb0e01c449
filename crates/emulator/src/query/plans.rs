//! Which API a table is asked by: its plan decides.

use std::collections::BTreeSet;

use foretide_domain::SentinelTable;

use crate::answers::AzureError;
use crate::query::tables::names_table;
use crate::state::State;

/// What a search looks at when it names no span.
pub(super) const SEARCHED_SPAN: &str = "P8D";

/// Refuses a query of a table that has to be searched.
pub(super) fn check_query(state: &State, csl: &str) -> Result<(), AzureError> {
    let basic = basic_tables(state);
    match basic.iter().find(|table| names_table(csl, table)) {
        None => Ok(()),
        Some(table) => Err(refusal(format!(
            "table {table} is on the basic or auxiliary plan: ask for it by /search"
        ))),
    }
}

/// Refuses a search of anything but one table on the basic or auxiliary plan.
pub(super) fn check_search(state: &State, csl: &str) -> Result<(), AzureError> {
    let basic = basic_tables(state);
    let named: Vec<&String> = basic
        .iter()
        .filter(|table| names_table(csl, table))
        .collect();
    let others = state.tables();
    let known = SentinelTable::ALL.map(|table| table.name().to_owned());
    let other = known
        .iter()
        .chain(&others)
        .find(|table| !basic.contains(*table) && names_table(csl, table));
    match (named.as_slice(), other) {
        ([_], None) => Ok(()),
        ([], _) => Err(refusal(
            "a search is of a table on the basic or auxiliary plan: ask for others by /query"
                .to_owned(),
        )),
        ([table, ..], _) => Err(refusal(format!(
            "a search is of one table: this one names more than {table}"
        ))),
    }
}

fn basic_tables(state: &State) -> BTreeSet<String> {
    let managed = state
        .arm
        .all("Microsoft.OperationalInsights/workspaces/tables");
    let managed = managed.iter().filter_map(|table| {
        let properties = &table["properties"];
        let is_basic = matches!(properties["plan"].as_str(), Some("Basic" | "Auxiliary"));
        let name = properties["schema"]["name"].as_str();
        name.filter(|_| is_basic).map(ToOwned::to_owned)
    });
    let configured = state.config.basic_tables.iter().cloned();
    managed.chain(configured).collect()
}

fn refusal(message: String) -> AzureError {
    AzureError::bad_request("BadArgumentError", message)
}
