use std::collections::BTreeSet;
use std::path::Path;

use foretide_domain::Phase;
use foretide_sentinel_arm::{ContentBody, ContentKind, LARGEST_DETAILS_BYTES, MOST_DETAILS};
use foretide_sentinel_content::{
    Delivery, Item, Pack, PackError, PackOptions, Playbook, solution, tables,
};
use serde_json::{Value, json};

use crate::arm_types::ArmTypes;
use crate::fixture::{client_at, shared_fixture};
use crate::schema::Schema;

fn options() -> PackOptions {
    PackOptions {
        phase: Phase::Proactive,
        notify: Some(Playbook {
            logic_app: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/w"
                .to_owned(),
            tenant: "00000000-0000-4000-8000-000000000001".to_owned(),
        }),
        ..PackOptions::of(
            &client_at("https://management.azure.com", "t"),
            "westeurope",
        )
    }
}

fn all_items() -> Vec<Item> {
    let direct = Pack::declared(&options()).unwrap().items;
    let endpoint = PackOptions {
        delivery: Delivery::Endpoint,
        ..options()
    };
    let mut items = direct;
    items.extend(Pack::declared(&endpoint).unwrap().items);
    items
}

fn types_file(kind: ContentKind) -> &'static str {
    let resource_type = kind.resource_type();
    if resource_type.starts_with("Microsoft.OperationalInsights/") {
        "arm-types/operationalinsights_2025-07-01.types.json"
    } else if resource_type.starts_with("Microsoft.SecurityInsights/") {
        "arm-types/securityinsights_2025-09-01.types.json"
    } else if kind == ContentKind::Workbook {
        "arm-types/insights-workbooks_2023-06-01.types.json"
    } else {
        "arm-types/insights-dcr_2024-03-11.types.json"
    }
}

#[test]
fn every_body_is_what_azures_own_types_ask_for() {
    for item in all_items() {
        let Some(types) = shared_fixture(types_file(item.kind)) else {
            return;
        };
        let types = ArmTypes::new(types);
        let problems = types.problems(item.kind.resource_type(), item.body.value());
        assert_eq!(problems, Vec::<String>::new(), "{}", item.title);
        // the checker itself can fail
        let mut broken = item.body.value().clone();
        broken["properties"]["noSuchProperty"] = json!(1);
        let problems = types.problems(item.kind.resource_type(), &broken);
        assert_eq!(problems.len(), 1, "{}: {problems:?}", item.title);
    }
}

#[test]
fn the_workbook_is_what_the_workbook_schema_asks_for() {
    let Some(schema) = shared_fixture("workbooks/workbook.schema.json") else {
        return;
    };
    let schema = Schema(schema);
    let text = workbook();
    assert_eq!(schema.problems(&text), Vec::<String>::new());
    let mut broken = text;
    broken["items"][0]["type"] = json!(4_711);
    assert_ne!(schema.problems(&broken), Vec::<String>::new());
}

fn workbook() -> Value {
    let items = all_items();
    let workbook = items
        .iter()
        .find(|item| item.kind == ContentKind::Workbook)
        .unwrap();
    let text = workbook.body.value()["properties"]["serializedData"]
        .as_str()
        .unwrap();
    serde_json::from_str(text).unwrap()
}

fn texts_named<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == name => found.push(text),
                    _ => texts_named(value, name, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_named(item, name, found)),
        _ => {}
    }
}

#[test]
fn the_workbook_reads_our_small_tables_only_and_shows_what_was_promised() {
    let workbook = workbook();
    let mut queries = Vec::new();
    texts_named(&workbook, "query", &mut queries);
    assert_eq!(queries.len(), 7);
    for query in queries {
        assert!(query.contains("_CL"), "{query}");
        for large in [
            "SecurityAlert",
            "SecurityIncident",
            "SigninLogs",
            "SecurityEvent",
            "CommonSecurityLog",
        ] {
            assert!(!query.contains(large), "{large} in {query}");
        }
    }
    let text = workbook.to_string();
    for part in [
        "Forecast against actual",
        "95% to",
        "Coverage",
        "Risk heat map",
        "Phases",
        "Drift",
        "Value",
    ] {
        assert!(text.contains(part), "no {part}");
    }
}

#[test]
fn nothing_that_is_laid_out_closes_an_incident() {
    for item in all_items() {
        ContentBody::new(item.body.value().clone()).unwrap();
        assert!(
            !item.body.value().to_string().contains("\"Closed\""),
            "{}",
            item.title
        );
    }
}

#[test]
fn each_automation_rule_needs_a_phase_and_none_is_there_in_shadow() {
    let count = |phase: Phase| {
        let options = PackOptions { phase, ..options() };
        let pack = Pack::declared(&options).unwrap();
        let is_automation = |kind: ContentKind| kind == ContentKind::AutomationRule;
        let laid_out = pack
            .items
            .iter()
            .filter(|item| is_automation(item.kind))
            .count();
        let held_back = pack
            .held_back
            .iter()
            .filter(|held| is_automation(held.kind))
            .count();
        (laid_out, held_back)
    };
    assert_eq!(count(Phase::Shadow), (0, 4));
    assert_eq!(count(Phase::Assisted), (2, 2));
    assert_eq!(count(Phase::Proactive), (4, 0));
}

#[test]
fn rules_keep_sentinels_limits() {
    let schema: Vec<_> = tables();
    for item in all_items() {
        if item.kind != ContentKind::AlertRule {
            continue;
        }
        let properties = &item.body.value()["properties"];
        let details = properties["customDetails"].as_object().unwrap();
        assert!(details.len() <= MOST_DETAILS, "{}", item.title);
        assert!(Value::from(details.clone()).to_string().len() < LARGEST_DETAILS_BYTES);
        let query = properties["query"].as_str().unwrap();
        assert!(query.len() <= 10_000 && schema.iter().any(|table| query.contains(&table.name)));
        for column in details.values() {
            assert!(
                query.contains(column.as_str().unwrap()),
                "{column} in {}",
                item.title
            );
        }
        let grouping = &properties["incidentConfiguration"]["groupingConfiguration"];
        assert_eq!(grouping["reopenClosedIncident"], false);
    }
}

#[test]
fn every_query_is_a_file_that_is_used() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kql");
    let used: String = all_items()
        .iter()
        .map(|item| item.body.value().to_string())
        .collect();
    let mut files = 0;
    for part in ["rules", "hunting", "workbook", "summary"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            // the workbook holds its queries as JSON in a text
            let once = Value::from(text.as_str()).to_string();
            let twice = Value::from(once.trim_matches('"')).to_string();
            let is_used = [once, twice]
                .iter()
                .any(|form| used.contains(form.trim_matches('"')));
            assert!(is_used, "{text}");
            assert!(
                text.starts_with("// "),
                "a query says what it is for: {text}"
            );
            files += 1;
        }
    }
    assert_eq!(files, 17);
}

#[test]
fn names_are_the_same_again_and_differ_by_workspace() {
    let names = |options: &PackOptions| -> BTreeSet<String> {
        let items = Pack::declared(options).unwrap().items;
        items
            .iter()
            .filter(|item| item.kind == ContentKind::AlertRule)
            .map(|item| item.name.clone())
            .collect()
    };
    let one = options();
    let other = PackOptions {
        name_space: "/subscriptions/other".to_owned(),
        ..options()
    };
    assert_eq!(names(&one), names(&one));
    assert!(names(&one).is_disjoint(&names(&other)));
    let mut pairs = BTreeSet::new();
    for item in Pack::declared(&one).unwrap().items {
        assert!(
            pairs.insert((item.kind, item.name.clone())),
            "{} twice",
            item.name
        );
    }
}

#[test]
fn options_out_of_bounds_are_refused() {
    let short = PackOptions {
        retention_days: 3,
        ..options()
    };
    assert_eq!(Pack::declared(&short), Err(PackError::Retention(3)));
    let nowhere = PackOptions {
        location: " ".to_owned(),
        ..options()
    };
    assert!(matches!(
        Pack::declared(&nowhere),
        Err(PackError::Location(_))
    ));
}

#[test]
fn tables_and_streams_agree_and_columns_keep_the_rules() {
    let reserved = [
        "_ResourceId",
        "id",
        "_SubscriptionId",
        "TenantId",
        "Type",
        "UniqueId",
        "Title",
    ];
    for table in tables() {
        assert!(table.name.ends_with("_CL") && (4..=63).contains(&table.name.len()));
        assert_eq!(table.columns[0].name, "TimeGenerated");
        for column in &table.columns {
            assert!(column.name.len() <= 45 && !reserved.contains(&column.name.as_str()));
        }
    }
    let items = all_items();
    let rule = items
        .iter()
        .find(|item| item.kind == ContentKind::DataCollectionRule)
        .unwrap();
    let streams = rule.body.value()["properties"]["streamDeclarations"]
        .as_object()
        .unwrap();
    let names: Vec<&String> = streams.keys().collect();
    assert_eq!(
        names,
        [
            "Custom-PredictiveAlerting_CL",
            "Custom-Predicted_Attack_Surge_CL",
            "Custom-AI_Governance_CL"
        ]
    );
}

#[test]
fn the_solution_has_the_layout_of_the_azure_sentinel_repository() {
    let files = solution().unwrap();
    let text_of = |path: &str| {
        let path = format!("Solutions/Foretide/{path}");
        files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.clone())
            .unwrap()
    };
    let json_of = |path: &str| serde_json::from_str::<Value>(&text_of(path)).unwrap();
    let data = json_of("Data/Solution_Foretide.json");
    for list in ["Analytic Rules", "Hunting Queries", "Workbooks"] {
        for path in data[list].as_array().unwrap() {
            assert!(!text_of(path.as_str().unwrap()).is_empty());
        }
    }
    let rule = text_of("Analytic Rules/predicted-attack-surge.yaml");
    assert!(
        rule.contains("queryFrequency: 1h") && rule.contains("kind: Scheduled"),
        "{rule}"
    );
    json_of("Package/createUiDefinition.json");
    let template = json_of("Package/mainTemplate.json");
    let resources = template["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 4 + 2 + 4 + 1 + 5);
    for resource in resources {
        for name in ["type", "apiVersion", "name"] {
            assert!(resource[name].is_string(), "{resource}");
        }
        let text = resource.to_string();
        assert!(
            !text.contains("00000000-0000-4000-8000-0000000050b5"),
            "a workspace of its own in {text}"
        );
    }
}
