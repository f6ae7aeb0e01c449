//! What is wrong with real exports: rows written twice, and a few lines that are broken.

use chrono::Duration;
use rand::Rng;

use crate::rows::Row;

const DUPLICATE_SHARE: f64 = 0.003;
/// Broken lines in a table that is not nearly empty: one of each kind.
const KINDS_OF_BREAK: [fn(&str) -> String; 3] = [cut_off, without_time, with_wrong_time];

/// Adds duplicates and broken lines to a table's rows.
pub(crate) fn add(rows: &mut Vec<Row>, random: &mut impl Rng) {
    let mut duplicates = Vec::new();
    for row in rows.iter() {
        if random.random_bool(DUPLICATE_SHARE) {
            let delay = Duration::seconds(random.random_range(1..600));
            duplicates.push(Row {
                arrived_at: row.arrived_at + delay,
                ..row.clone()
            });
        }
    }
    if rows.len() > 100 {
        for spoil in KINDS_OF_BREAK {
            let victim = &rows[random.random_range(0..rows.len())];
            let line = spoil(&victim.line).into();
            duplicates.push(Row {
                line,
                ..victim.clone()
            });
        }
    }
    rows.append(&mut duplicates);
}

fn cut_off(line: &str) -> String {
    line.chars().take(line.len() / 3).collect()
}

fn without_time(line: &str) -> String {
    line.replacen("\"TimeGenerated\"", "\"TimeGenerated_missing\"", 1)
}

fn with_wrong_time(line: &str) -> String {
    let Some(start) = line.find("\"TimeGenerated\":\"") else {
        return "{}".to_owned();
    };
    let value = start + "\"TimeGenerated\":\"".len();
    let end = line[value..]
        .find('"')
        .map_or(line.len(), |length| value + length);
    format!(
        "{}sometime last week (synthetic){}",
        &line[..value],
        &line[end..]
    )
}
