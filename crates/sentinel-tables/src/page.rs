//! `docs/TABLES.md`.

use std::fmt::Write;

use foretide_domain::SentinelTable;

use crate::declaration::{Counting, Identity, MeasureDeclaration, TableDeclaration};
use crate::{Condition, Text, declared};

const HEAD: &str = "# Tables

What Foretide reads of a Sentinel workspace. Made from the declarations in
[`crates/sentinel-tables`](../crates/sentinel-tables); a test fails when this page and they differ.

No other column of these tables is read. Columns marked *identifier* name people, machines or
addresses: from exported files they are kept as keyed hashes only, and from the query API they do not
leave the workspace at all (only counts travel). Every measure is counted by a query under
[`crates/sentinel-tables/kql`](../crates/sentinel-tables/kql) or, from exported files, by the same
declaration; a test runs both on the same rows.

";

/// The page, as it should be.
#[must_use]
pub fn tables_page() -> String {
    let mut page = HEAD.to_owned();
    for name in SentinelTable::ALL {
        table(&mut page, declared::table(name));
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn table(page: &mut String, declared: &TableDeclaration) {
    let columns: Vec<String> = declared
        .columns
        .iter()
        .map(|column| {
            let mark = if column.is_identifier {
                ", *identifier*"
            } else {
                ""
            };
            format!("`{}` ({}{mark})", column.name, column.kind.kql())
        })
        .collect();
    write!(
        page,
        "## {}\n{}.\n\n- read: {}\n- same thing: {}\n\n| measure | what | when | by |\n|---|---|---|---|\n",
        declared.table,
        capital(declared.what),
        columns.join(", "),
        identity(declared.identity),
    )
    .expect("a string takes all text");
    for measure in declared.measures {
        row(page, measure);
    }
    page.push('\n');
}

fn row(page: &mut String, declared: &MeasureDeclaration) {
    let labels: Vec<String> = declared
        .labels()
        .map(|(name, text)| format!("{}: {}", name.to_lowercase(), source(text)))
        .collect();
    let step = if declared.measure.is_daily() {
        "day"
    } else {
        "hour"
    };
    let counting = match declared.counting {
        Counting::Things => String::new(),
        Counting::Sum(column) => format!("; sum of `{column}`"),
        Counting::Distinct(text) => format!("; distinct {}", source(text)),
    };
    let only: Vec<String> = declared.only.iter().map(condition).collect();
    let only = match only.as_slice() {
        [] => String::new(),
        _ => format!("; only {}", only.join(" and ")),
    };
    writeln!(
        page,
        "| `{}` | {}{counting}{only} | `{}`, {step} | {} |",
        declared.measure,
        declared.what,
        declared.at,
        labels.join(", "),
    )
    .expect("a string takes all text");
}

fn identity(identity: Identity) -> String {
    match identity {
        Identity::EachRow => "every row is one".to_owned(),
        Identity::Latest { key } => format!("same `{key}`; the latest row counts"),
        Identity::First { key, made } => {
            let made = made.map_or_else(
                || "by its first row".to_owned(),
                |made| format!("by `{made}`, else by its first row"),
            );
            format!("same `{key}`; counts once, {made}")
        }
    }
}

fn source(text: Text) -> String {
    let columns: Vec<String> = text
        .columns()
        .into_iter()
        .map(|column| format!("`{column}`"))
        .collect();
    columns.join(" or ")
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::OneOf(text, values) => format!("{} one of {}", source(*text), values.join(", ")),
        Condition::Not(text, value) => format!("{} not {value:?}", source(*text)),
        Condition::NotStarting(text, beginning) => {
            format!("{} not beginning with {beginning:?}", source(*text))
        }
        Condition::External(text) => format!("{} outside", source(*text)),
        Condition::AtLeast(column, least) => format!("`{column}` at least {least}"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
