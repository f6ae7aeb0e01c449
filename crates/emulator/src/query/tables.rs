//! Uploaded rows on their way into the KQL engine's tables, once they show.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use foretide_domain::{SentinelTable, TimeSpan};
use serde_json::Value;

use crate::answers::AzureError;
use crate::config::{ColumnConfig, ColumnKind, KqlEngineConfig};
use crate::query::engine::{command, query};
use crate::state::{NewRow, State};

/// Rows put into the engine at once.
const ROWS_A_COMMAND: usize = 2_000;
/// Stands for `ingestion_time()`, which the engine does not have.
const INGESTION_TIME: &str = "_IngestionTime";

/// The engine's tables that rows were put into.
#[derive(Debug, Default)]
pub(crate) struct EngineTables(BTreeMap<String, EngineTable>);

#[derive(Debug)]
struct EngineTable {
    columns: Vec<(String, Kusto)>,
    /// Whether it was made here: only then may it be emptied.
    is_ours: bool,
    is_stale: bool,
}

impl EngineTables {
    /// The rows that were put in are to go. Tables that the engine had before keep them.
    pub(crate) fn forget(&mut self) {
        for table in self.0.values_mut().filter(|table| table.is_ours) {
            table.is_stale = true;
        }
    }
}

/// A type of the Kusto language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kusto {
    Bool,
    Datetime,
    Dynamic,
    Guid,
    Int,
    Long,
    Real,
    String,
}

impl Kusto {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Datetime => "datetime",
            Self::Dynamic => "dynamic",
            Self::Guid => "guid",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::String => "string",
        }
    }

    /// The function that makes it of a JSON value.
    fn conversion(self) -> &'static str {
        match self {
            Self::Bool => "tobool",
            Self::Datetime => "todatetime",
            Self::Dynamic => "todynamic",
            Self::Guid => "toguid",
            Self::Int => "toint",
            Self::Long => "tolong",
            Self::Real => "todouble",
            Self::String => "tostring",
        }
    }

    fn named(name: &str) -> Self {
        let all = [
            Self::Bool,
            Self::Datetime,
            Self::Dynamic,
            Self::Guid,
            Self::Int,
            Self::Long,
            Self::Real,
        ];
        let found = all.into_iter().find(|kind| kind.name() == name);
        found.unwrap_or(Self::String)
    }

    /// What a value of an undeclared column is.
    fn of(name: &str, value: &Value) -> Self {
        match value {
            _ if name == "TimeGenerated" => Self::Datetime,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_i64() => Self::Long,
            Value::Number(_) => Self::Real,
            Value::Object(_) | Value::Array(_) => Self::Dynamic,
            _ => Self::String,
        }
    }
}

impl From<ColumnKind> for Kusto {
    fn from(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::String => Self::String,
            ColumnKind::Int => Self::Int,
            ColumnKind::Long => Self::Long,
            ColumnKind::Real => Self::Real,
            ColumnKind::Boolean => Self::Bool,
            ColumnKind::Dynamic => Self::Dynamic,
            ColumnKind::Datetime => Self::Datetime,
            ColumnKind::Guid => Self::Guid,
        }
    }
}

/// Puts rows that show by now into the tables that a query names; says which tables can be written
/// to.
pub(super) async fn bring_up_to_date(
    state: &State,
    engine: &KqlEngineConfig,
    csl: &str,
) -> Result<BTreeSet<String>, AzureError> {
    let declared = declared_tables(state);
    let names: BTreeSet<String> = declared.keys().cloned().chain(state.tables()).collect();
    let mut tables = state.engine.lock().await;
    for name in names.iter().filter(|name| names_table(csl, name)) {
        let columns = declared.get(name).map_or(&[][..], Vec::as_slice);
        put_rows(state, engine, &mut tables, name, columns).await?;
    }
    Ok(names)
}

/// The columns that are declared for the tables that can be written to, by table; of a table whose
/// rows may have any, none.
fn declared_tables(state: &State) -> BTreeMap<String, Vec<ColumnConfig>> {
    let mut tables: BTreeMap<String, Vec<ColumnConfig>> = BTreeMap::new();
    let configured = state.config.rules.iter().flat_map(|rule| &rule.streams);
    for stream in configured {
        let known = tables.entry(stream.table()).or_default();
        known.extend(stream.columns.iter().cloned());
    }
    for table in state
        .arm
        .all("Microsoft.OperationalInsights/workspaces/tables")
    {
        let schema = &table["properties"]["schema"];
        let columns = serde_json::from_value(schema["columns"].clone());
        if let (Some(name), Ok(columns)) = (schema["name"].as_str(), columns) {
            tables.insert(name.to_owned(), columns);
        }
    }
    tables
}

/// Whether a name stands in a query as a word, and can be a table's.
pub(super) fn names_table(csl: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word) && csl.split(|c| !is_word(c)).any(|word| word == name)
}

async fn put_rows(
    state: &State,
    engine: &KqlEngineConfig,
    tables: &mut EngineTables,
    name: &str,
    declared: &[ColumnConfig],
) -> Result<(), AzureError> {
    let mut rows = state.take_for_engine(name, ROWS_A_COMMAND);
    if !tables.0.contains_key(name) {
        let Some(table) = find_or_make(state, engine, name, declared, &rows).await? else {
            return Ok(());
        };
        tables.0.insert(name.to_owned(), table);
    }
    let Some(table) = tables.0.get_mut(name) else {
        return Ok(());
    };
    if std::mem::take(&mut table.is_stale) {
        let emptied = format!(".set-or-replace {name} <| {name} | take 0");
        command(&state.http, engine, &emptied).await?;
    }
    while !rows.is_empty() {
        let statement = append(name, &table.columns, &rows);
        command(&state.http, engine, &statement).await?;
        rows = state.take_for_engine(name, ROWS_A_COMMAND);
    }
    Ok(())
}

/// The engine's table, made by the declaration or else by the first rows; nothing while there is
/// neither.
async fn find_or_make(
    state: &State,
    engine: &KqlEngineConfig,
    name: &str,
    declared: &[ColumnConfig],
    rows: &[NewRow],
) -> Result<Option<EngineTable>, AzureError> {
    if let Ok(schema) = query(&state.http, engine, &format!("{name} | getschema")).await {
        return Ok(Some(EngineTable {
            columns: columns_of_schema(&schema),
            is_ours: false,
            is_stale: false,
        }));
    }
    let mut columns: Vec<(String, Kusto)> = if declared.is_empty() {
        columns_of_rows(rows)
    } else {
        let declared = declared.iter();
        declared
            .map(|column| (column.name.clone(), column.kind.into()))
            .collect()
    };
    if columns.is_empty() {
        return Ok(None);
    }
    columns.push((INGESTION_TIME.to_owned(), Kusto::Datetime));
    command(&state.http, engine, &make(name, &columns)).await?;
    Ok(Some(EngineTable {
        columns,
        is_ours: true,
        is_stale: false,
    }))
}

fn columns_of_schema(schema: &super::engine::KustoAnswer) -> Vec<(String, Kusto)> {
    let Some(table) = schema.tables.first() else {
        return Vec::new();
    };
    let position = |wanted: &str| {
        let mut columns = table.columns.iter();
        columns.position(|column| column.column_name == wanted)
    };
    let (Some(name), Some(kind)) = (position("ColumnName"), position("ColumnType")) else {
        return Vec::new();
    };
    let text = |row: &Vec<Value>, at: usize| row.get(at)?.as_str().map(ToOwned::to_owned);
    let rows = table.rows.iter();
    rows.filter_map(|row| Some((text(row, name)?, Kusto::named(&text(row, kind)?))))
        .collect()
}

fn columns_of_rows(rows: &[NewRow]) -> Vec<(String, Kusto)> {
    let mut columns: Vec<(String, Kusto)> = Vec::new();
    let fields = rows.iter().filter_map(|new| new.row.as_object()).flatten();
    for (name, value) in fields {
        let is_new = columns.iter().all(|(known, _)| known != name);
        if is_new && !value.is_null() && names_table(name, name) {
            columns.push((name.clone(), Kusto::of(name, value)));
        }
    }
    columns
}

/// The command that makes a table.
fn make(table: &str, columns: &[(String, Kusto)]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("['{name}']:{}", kind.name()))
        .collect();
    format!(
        ".set-or-append {table} <| datatable({})[]",
        columns.join(", ")
    )
}

/// The command that appends rows. They travel as one JSON literal: the engine reads that thirty times
/// faster than a `datatable` of as many literals.
fn append(table: &str, columns: &[(String, Kusto)], rows: &[NewRow]) -> String {
    let rows: Vec<Value> = rows.iter().map(with_ingestion_time).collect();
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("['{name}']={}(row['{name}'])", kind.conversion()))
        .collect();
    format!(
        ".set-or-append {table} <| print row=parse_json({}) | mv-expand row | project {}",
        quoted(&Value::Array(rows).to_string()),
        columns.join(", ")
    )
}

fn with_ingestion_time(new: &NewRow) -> Value {
    let mut row = new.row.clone();
    row[INGESTION_TIME] = written(new.visible_at).into();
    row
}

/// JSON as a literal of KQL: JSON itself has escaped what cannot stand in a line.
fn quoted(json: &str) -> String {
    format!("\"{}\"", json.replace('\\', "\\\\").replace('"', "\\\""))
}

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Cuts the tables that a query names down to the span, as Log Analytics does beside the query's
/// own filters.
pub(super) fn within(csl: &str, span: &TimeSpan, own: &BTreeSet<String>) -> String {
    let written = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (start, end) = (written(span.start), written(span.end));
    let known = SentinelTable::ALL
        .into_iter()
        .map(|table| -> &str { table.name() });
    let named: BTreeSet<&str> = known
        .chain(own.iter().map(String::as_str))
        .filter(|table| names_table(csl, table))
        .collect();
    let cuts = named.into_iter().map(|table| {
        format!(
            "let {table} = {table} | where TimeGenerated >= datetime({start}) and TimeGenerated < datetime({end});\n"
        )
    });
    cuts.chain([csl.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_timespan_cuts_every_table_that_is_named() {
        let span = TimeSpan {
            start: "2026-11-22T00:00:00Z".parse().expect("a moment"),
            end: "2026-11-23T00:00:00Z".parse().expect("a moment"),
        };
        let own = BTreeSet::from(["My_CL".to_owned(), "Other_CL".to_owned()]);
        let csl = "union SecurityIncident, My_CL | join SecurityAlert on x // NotOther_CL";
        let cut = within(csl, &span, &own);
        for table in ["SecurityIncident", "SecurityAlert", "My_CL"] {
            let wanted = format!(
                "let {table} = {table} | where TimeGenerated >= datetime(2026-11-22T00:00:00.000Z)"
            );
            assert!(cut.contains(&wanted), "{cut}");
        }
        assert!(
            !cut.contains("let Usage") && !cut.contains("let Other_CL"),
            "{cut}"
        );
        assert!(cut.ends_with(csl));
    }

    #[test]
    fn rows_become_literals_of_their_columns_types() {
        let visible_at = "2026-11-23T10:00:00Z".parse().expect("a moment");
        let row = json!({"TimeGenerated": "2026-11-23T09:00:00Z", "A": "say \"hi\"\n", "N": 1.5, "D": {"k": [1]}, "L": "text"});
        let rows = [NewRow { row, visible_at }];
        let mut columns = columns_of_rows(&rows);
        assert_eq!(columns[0], ("TimeGenerated".to_owned(), Kusto::Datetime));
        columns[4].1 = Kusto::Long;
        columns.push((INGESTION_TIME.to_owned(), Kusto::Datetime));
        assert_eq!(
            make("T", &columns),
            ".set-or-append T <| datatable(['TimeGenerated']:datetime, ['A']:string, ['N']:real, \
             ['D']:dynamic, ['L']:long, ['_IngestionTime']:datetime)[]"
        );
        let appended = append("T", &columns, &rows);
        let (head, rest) = appended.split_once("[{").expect("rows");
        assert_eq!(head, ".set-or-append T <| print row=parse_json(\"");
        let (json, tail) = rest.split_once("}]").expect("rows");
        assert!(json.contains(r#"\"A\":\"say \\\"hi\\\"\\n\""#), "{json}");
        assert!(
            json.ends_with(r#"\"_IngestionTime\":\"2026-11-23T10:00:00.000000Z\""#),
            "{json}"
        );
        assert_eq!(
            tail,
            "\") | mv-expand row | project ['TimeGenerated']=todatetime(row['TimeGenerated']), \
             ['A']=tostring(row['A']), ['N']=todouble(row['N']), ['D']=todynamic(row['D']), \
             ['L']=tolong(row['L']), ['_IngestionTime']=todatetime(row['_IngestionTime'])"
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_quotes(text in "\\PC{0,40}|[\"\\\\\n\t;|]{0,10}") {
            let quoted = quoted(&json!(text).to_string());
            prop_assert!(!quoted.contains(char::is_control));
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes");
            let mut escaped = false;
            for c in inner.chars() {
                prop_assert!(escaped || c != '"');
                escaped = !escaped && c == '\\';
            }
            prop_assert!(!escaped);
        }
    }
}
