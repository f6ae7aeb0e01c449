//! The schema that KQL is checked against.

use std::fmt::Write;

use foretide_domain::SentinelTable;

use crate::declared;

/// Every table with the columns that are read and their types, as the checker under `e2e/kql` reads
/// it.
#[must_use]
pub fn schema_json() -> String {
    let tables: Vec<String> = SentinelTable::ALL
        .into_iter()
        .map(|name| {
            let mut text = format!("    \"{name}\": {{\n");
            let columns: Vec<String> = declared::table(name)
                .columns
                .iter()
                .map(|column| format!("      \"{}\": \"{}\"", column.name, column.kind.kql()))
                .collect();
            write!(text, "{}\n    }}", columns.join(",\n")).expect("a string takes all text");
            text
        })
        .collect();
    format!("{{\n  \"tables\": {{\n{}\n  }}\n}}\n", tables.join(",\n"))
}
