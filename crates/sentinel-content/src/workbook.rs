//! The workbook. It reads our small tables only.

use foretide_domain::Phase;
use foretide_sentinel_arm::ContentKind;
use serde_json::{Value, json};

use crate::body::body;
use crate::names::{Mark, guid};
use crate::pack::{Item, PackOptions};

const TITLE: &str = "Foretide: predictive alerting";
const VERSION: &str = "Notebook/1.0";
const TIME_RANGE: &str = "TimeRange";
const DAY_MS: u64 = 24 * 3_600 * 1_000;

struct Part {
    name: &'static str,
    heading: &'static str,
    words: &'static str,
    query: &'static str,
    visualization: &'static str,
    /// Percent of the page's width.
    width: u8,
    settings: fn() -> Value,
}

fn none() -> Value {
    json!({})
}

fn heat() -> Value {
    json!({ "gridSettings": { "formatters": [{
        "columnMatch": " h$",
        "formatter": 8,
        "formatOptions": { "min": 0, "palette": "yellowOrangeRed" },
    }]}})
}

fn lines() -> Value {
    json!({ "chartSettings": {
        "xAxis": "Hour",
        "seriesLabelSettings": [
            { "seriesName": "Actual", "color": "blueDark" },
            { "seriesName": "Median", "color": "orange" },
            { "seriesName": "80% from", "color": "lightBlue" },
            { "seriesName": "80% to", "color": "lightBlue" },
            { "seriesName": "95% from", "color": "gray" },
            { "seriesName": "95% to", "color": "gray" },
        ],
    }})
}

const PARTS: [Part; 7] = [
    Part {
        name: "coming windows",
        heading: "Coming windows",
        words: "Periods in which incidents are expected to exceed the declared capacity or the usual upper load. A probability here is \
                that of too much work, not of an attack.",
        query: include_str!("../kql/workbook/coming_windows.kql"),
        visualization: "table",
        width: 50,
        settings: none,
    },
    Part {
        name: "risk heat map",
        heading: "Risk heat map",
        words: "Incidents expected, by day and time of day (UTC).",
        query: include_str!("../kql/workbook/risk_heat_map.kql"),
        visualization: "table",
        width: 50,
        settings: heat,
    },
    Part {
        name: "forecast against actual",
        heading: "Forecast against actual",
        words: "The newest forecast made before each hour, its 80% and 95% intervals, and what came.",
        query: include_str!("../kql/workbook/forecast_against_actual.kql"),
        visualization: "linechart",
        width: 100,
        settings: lines,
    },
    Part {
        name: "coverage",
        heading: "Coverage",
        words: "How often what happened lay inside the intervals. Far from 80 and 95 they do not hold.",
        query: include_str!("../kql/workbook/coverage.kql"),
        visualization: "linechart",
        width: 50,
        settings: none,
    },
    Part {
        name: "phases",
        heading: "Phases",
        words: "Shadow watches, assisted proposes, proactive does what the policy names. People raise a \
                phase, never the software.",
        query: include_str!("../kql/workbook/phases.kql"),
        visualization: "table",
        width: 50,
        settings: none,
    },
    Part {
        name: "drift",
        heading: "Drift",
        words: "The loss of the last seven days beside the three weeks before.",
        query: include_str!("../kql/workbook/drift.kql"),
        visualization: "table",
        width: 50,
        settings: none,
    },
    Part {
        name: "value",
        heading: "Value",
        words: "What share of seasonal naive's loss the forecasts save. It may well say: none.",
        query: include_str!("../kql/workbook/value.kql"),
        visualization: "table",
        width: 50,
        settings: none,
    },
];

/// What the workbook shows, as workbooks are written.
pub(crate) fn notebook() -> Value {
    let mut items = vec![
        json!({
            "type": 1,
            "name": "introduction",
            "content": { "json": "## Foretide\nWhat this workspace will ask of its SOC in the next hours and \
                                  days, how sure that is, and whether it was right." },
        }),
        time_range(),
    ];
    items.extend(PARTS.iter().map(part));
    json!({ "version": VERSION, "items": items, "fallbackResourceIds": [] })
}

fn time_range() -> Value {
    let days = [1_u64, 3, 7, 14, 30, 90];
    let choices: Vec<Value> = days
        .iter()
        .map(|days| json!({ "durationMs": days * DAY_MS }))
        .collect();
    json!({
        "type": 9,
        "name": "time range",
        "content": {
            "version": "KqlParameterItem/1.0",
            "style": "pills",
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "parameters": [{
                "id": "5f0e7ede-0000-4000-8000-000000000001",
                "version": "KqlParameterItem/1.0",
                "name": TIME_RANGE,
                "type": 4,
                "isRequired": true,
                "value": { "durationMs": 14 * DAY_MS },
                "typeSettings": { "selectableValues": choices, "allowCustom": true },
            }],
        },
    })
}

fn part(part: &Part) -> Value {
    let mut content = json!({
        "version": "KqlItem/1.0",
        "query": part.query,
        "size": 0,
        "title": part.heading,
        "noDataMessage": "Nothing yet: Foretide has not written to this workspace, or not long enough.",
        "timeContextFromParameter": TIME_RANGE,
        "queryType": 0,
        "resourceType": "microsoft.operationalinsights/workspaces",
        "visualization": part.visualization,
    });
    if let (Value::Object(content), Value::Object(settings)) = (&mut content, (part.settings)()) {
        content.extend(settings);
    }
    json!({
        "type": 12,
        "name": part.name,
        "customWidth": part.width.to_string(),
        "content": {
            "version": "NotebookGroup/1.0",
            "groupType": "editable",
            "items": [
                { "type": 1, "name": format!("{}: words", part.name), "content": { "json": part.words } },
                { "type": 3, "name": format!("{}: query", part.name), "content": content },
            ],
        },
    })
}

pub(crate) fn items(options: &PackOptions) -> Vec<Item> {
    vec![Item {
        kind: ContentKind::Workbook,
        name: guid(&options.name_space, "workbooks", "predictive-alerting"),
        title: TITLE.to_owned(),
        needs: Phase::Shadow,
        body: body(json!({
            "location": options.location,
            "kind": "shared",
            "tags": Mark::of(options).on_tags(),
            "properties": {
                "displayName": TITLE,
                "description": "Forecasts, risk, coverage, phases, drift and value.",
                "category": "sentinel",
                "version": VERSION,
                "serializedData": notebook().to_string(),
                "sourceId": options.workspace_id,
            },
        })),
    }]
}
