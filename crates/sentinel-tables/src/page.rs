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

## Rules for all tables
- **Known.** A row is read when it has come in and every moment that it tells of has passed: no hour in the
  future gets a bucket.
- **Set aside.** A row is not read (and from files kept in quarantine, with the reason) when what makes it
  one thing is missing, when a moment or quantity that it must have is missing, when a moment lies before
  2000 or more than a day after `TimeGenerated`, when a quantity is negative or in an unknown unit. The rest
  of the table goes on.
- **Versions.** Of the rows of one thing the one with the latest `TimeGenerated` gives labels and conditions;
  where a table says when a row was changed, that decides between rows of the same `TimeGenerated`. Where
  that is the same too, each value is the greatest of theirs (text by its bytes).
- **Ours and merged.** What is never counted stays so whatever a later row says: an incident of Foretide's
  own that was renamed, and one that Defender has merged into another. The workspace looks 30 days back
  for such a row.
- **Severity.** {severities}.
- **Tactics** are the first of the list, in any of its spellings (`A, B`, `[\"A\", \"B\"]`).
- **Addresses** are compared in one way of writing: without port, brackets and zone, IPv4 as mapped into
  IPv6. What is no address is not counted. Outside is what is not private (RFC 1918, fc00::/7), loopback,
  link-local, multicast, broadcast or unset.
- **Names** of people and machines are compared in small letters.
- **Volumes** are in megabytes (MBytes, GBytes, KBytes, Bytes; no unit means MBytes).
- **Spaces** around a text do not matter.

## Where the two sources differ
- Things that are told of again: the workspace looks 30 days back, files know all that was ever read. A thing
  told of again after more than 30 days may count again when queried.
- Identical rows of a table whose rows have no id are events of their own. Files count those of one reading
  of an object each; the same row in another object, or in what was appended later, is taken for a copy.
- From one key of pseudonyms to the next, files cannot tell that a name is the same; keys change at
  midnight UTC, where counts of distinct things begin anew.

";

/// The page, as it should be.
#[must_use]
pub fn tables_page() -> String {
    let mut page = HEAD.replace("{severities}", &crate::expression::severities());
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
        "## {}\n{}.\n\n- read: {}\n- same thing: {}\n{}{}\n| measure | what | when | by |\n|---|---|---|---|\n",
        declared.table,
        capital(declared.what),
        columns.join(", "),
        identity(declared.identity),
        never(declared),
        set_aside(declared),
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
        Counting::Sum(quantity) => match quantity.unit {
            Some(unit) => format!(
                "; sum of `{}` in the unit that `{unit}` says",
                quantity.column
            ),
            None => format!("; sum of `{}`", quantity.column),
        },
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
        Identity::Latest { key, modified } => format!(
            "same `{key}`; the row with the latest `TimeGenerated` counts, of several the one with the latest `{modified}`"
        ),
        Identity::First { key, made } => {
            let made = made.map_or_else(
                || "by its first row".to_owned(),
                |made| format!("by `{made}`, else by its first row"),
            );
            format!("same `{key}`; counts once, {made}")
        }
    }
}

fn never(declared: &TableDeclaration) -> String {
    let conditions: Vec<String> = declared.never.iter().map(condition).collect();
    match conditions.as_slice() {
        [] => String::new(),
        _ => format!(
            "- never counted, if any row has: {}\n",
            conditions.join("; or ")
        ),
    }
}

fn set_aside(declared: &TableDeclaration) -> String {
    let key = declared.identity.key().into_iter();
    let quantities = declared.quantities().map(|quantity| quantity.column);
    let required = key
        .chain(declared.required.iter().copied())
        .chain(quantities);
    let required: Vec<String> = required.map(|column| format!("`{column}`")).collect();
    match required.as_slice() {
        [] => String::new(),
        _ => format!("- set aside: a row without {}\n", required.join(", ")),
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
        Condition::Starting(text, beginning) => {
            format!("{} beginning with {beginning:?}", source(*text))
        }
        Condition::Labelled(column, name) => format!("`{column}` with the label {name:?}"),
        Condition::External(column) => format!("`{column}` outside"),
        Condition::AtLeast(column, least) => format!("`{column}` at least {least}"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
