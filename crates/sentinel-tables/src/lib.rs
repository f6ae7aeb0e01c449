//! What is read of each Sentinel table and how it is counted.
//!
//! A table is declared once: its columns with their types, when a row happened, which rows are the
//! same thing, which columns name people or machines, and what is counted. From a declaration
//! follow
//!
//! - the KQL that counts in the workspace ([`count_query`], [`arrivals_query`], [`newest_query`]),
//!   kept as text under `kql/` so that it can be read and checked,
//! - the counting from exported rows ([`Condition::holds`], [`Text::of`],
//!   [`TableDeclaration::flaw`]), with the same outcome,
//! - the schema that the KQL is checked against ([`schema_json`]), and `docs/TABLES.md`
//!   ([`tables_page`]).
//!
//! Pure: no I/O and no clock.

mod address;
mod arrivals;
mod declaration;
mod declared;
mod expression;
mod kql;
mod page;
mod row;
mod schema;
mod statements;

pub use arrivals::{arrivals_query, newest_query};
pub use declaration::{
    Column, Counting, Flaw, Identity, Kind, MeasureDeclaration, Quantity, TableDeclaration, UNITS,
};
pub use declared::{measure, table};
pub use expression::{Condition, Text, known_severity};
pub use kql::{count_query, incidents_created_query};
pub use page::tables_page;
pub use row::{EARLIEST_MS, Row, SKEW_MS};
pub use schema::schema_json;
pub use statements::{Statement, statement, statements};
