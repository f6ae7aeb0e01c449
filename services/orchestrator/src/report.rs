//! What the summary of a step says to people.

use foretide_domain::Step;
use serde_json::Value;

use crate::model::RunStep;

impl RunStep {
    /// What was done, in sentences. Only ingest tells: of the other steps their forecasts do.
    pub(crate) fn report(&self) -> Vec<String> {
        let Some(summary) = self.ingested() else {
            return Vec::new();
        };
        let tables = list(summary, "tables");
        let sum = |field: &str| -> u64 { tables.iter().map(|table| count(table, field)).sum() };
        let mut lines = vec![format!(
            "read: {} of {}, {} of them new",
            many(sum("rows_read"), "row"),
            many(sum("objects_read"), "object"),
            sum("rows_read").saturating_sub(sum("rows_duplicate") + sum("rows_quarantined")),
        )];
        let empty = list(summary, "locations").iter();
        lines.extend(
            empty
                .map(|place| text(place, "problem"))
                .filter(|problem| !problem.is_empty()),
        );
        lines.extend(tables.iter().filter_map(set_aside));
        let waiting = sum("rows_waiting");
        if waiting > 0 {
            let rows = many(waiting, "row");
            lines.push(format!(
                "left for a later run: {rows} logged after this one"
            ));
        }
        lines
    }

    /// What was not done although the step went on, in sentences.
    pub(crate) fn shortfalls(&self) -> Vec<String> {
        let tables = self.ingested().map(|summary| list(summary, "tables"));
        let tables = tables.into_iter().flatten();
        tables
            .filter(|table| !text(table, "error").is_empty())
            .map(|table| {
                format!(
                    "not read: {}: {}",
                    text(table, "table"),
                    text(table, "error")
                )
            })
            .collect()
    }

    fn ingested(&self) -> Option<&Value> {
        (self.step == Step::Ingest)
            .then(|| self.summary.values().next())
            .flatten()
    }
}

fn set_aside(table: &Value) -> Option<String> {
    let name = text(table, "table");
    let rejected = match (
        count(table, "rows_quarantined"),
        count(table, "objects_damaged"),
    ) {
        (0, 0) => return None,
        (0, objects) => {
            let first = text(table, "first_damaged");
            let objects = many(objects, "object");
            format!("{objects} of {name} since earlier runs, the first: {first}")
        }
        (rows, _) => {
            let first = text(table, "first_set_aside");
            let rows = many(rows, "row");
            format!("{rows} of {name}, the first: {first}")
        }
    };
    Some(format!("set aside: {rejected}"))
}

fn many(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn count(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or(0)
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use foretide_api::ingestion::v1::{IngestSummary, LocationSummary, TableSummary};

    use super::*;
    use crate::model::RunState;

    fn step_with(summary: &IngestSummary) -> RunStep {
        let summary = serde_json::to_value(summary).unwrap();
        RunStep {
            step: Step::Ingest,
            state: RunState::Succeeded,
            attempts: 1,
            started_at: None,
            finished_at: None,
            progress: None,
            summary: [("all".to_owned(), summary)].into_iter().collect(),
            error: String::new(),
        }
    }

    #[test]
    fn what_was_read_left_and_set_aside_is_told_and_what_was_not_read_is_short() {
        let table = |name: &str| TableSummary {
            table: name.to_owned(),
            ..TableSummary::default()
        };
        let step = step_with(&IngestSummary {
            tables: vec![
                TableSummary {
                    objects_read: 2,
                    rows_read: 40,
                    rows_duplicate: 5,
                    rows_quarantined: 3,
                    rows_waiting: 7,
                    first_set_aside: "a.csv line 4: bad_time: TimeGenerated: soon".to_owned(),
                    ..table("SecurityIncident")
                },
                TableSummary {
                    error: "the source cannot be read: gone".to_owned(),
                    ..table("SecurityAlert")
                },
                table("Usage"),
            ],
            locations: vec![LocationSummary {
                location: "old".to_owned(),
                objects: 0,
                problem: "0 objects under old".to_owned(),
            }],
        });
        assert_eq!(
            step.report(),
            [
                "read: 40 rows of 2 objects, 32 of them new",
                "0 objects under old",
                "set aside: 3 rows of SecurityIncident, the first: a.csv line 4: bad_time: \
                 TimeGenerated: soon",
                "left for a later run: 7 rows logged after this one",
            ]
        );
        assert_eq!(
            step.shortfalls(),
            ["not read: SecurityAlert: the source cannot be read: gone"]
        );
    }

    #[test]
    fn damage_of_earlier_runs_is_told_until_it_is_repaired_and_is_no_shortfall() {
        let step = step_with(&IngestSummary {
            tables: vec![TableSummary {
                table: "Usage".to_owned(),
                objects_damaged: 1,
                first_damaged: "Usage.csv.gz: broken_object: gzip".to_owned(),
                ..TableSummary::default()
            }],
            locations: vec![],
        });
        let said = "set aside: 1 object of Usage since earlier runs, the first: Usage.csv.gz: \
                    broken_object: gzip";
        assert_eq!(step.report()[1], said);
        assert!(step.shortfalls().is_empty());
    }
}
