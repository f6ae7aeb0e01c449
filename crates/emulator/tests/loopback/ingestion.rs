use chrono::Duration;
use foretide_domain::Clock;
use foretide_emulator::{EmulatorConfig, RuleConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{World, error_code, gzip, upload_path};

const MONITOR: &str = "https://monitor.azure.com";
const TABLE: &str = "PredictiveAlerting_CL";

#[tokio::test]
async fn compressed_rows_land_in_their_table() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    let rows =
        json!([{ "TimeGenerated": "2026-11-23T09:00:00Z", "Predicted": 12.5 }, { "Predicted": 3 }]);
    let answer = world
        .post(&upload_path("Custom-PredictiveAlerting_CL"))
        .bearer_auth(&token)
        .header("content-encoding", "gzip")
        .body(gzip(rows.to_string().as_bytes()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);

    let stored = world.emulator.rows(TABLE);
    assert_eq!(stored[0], rows[0]);
    assert_eq!(stored[1]["TimeGenerated"], "2026-11-23T10:00:00.000Z");
    let recorded = world.emulator.requests("/dataCollectionRules/");
    assert_eq!(
        recorded[0].body, rows,
        "the record shows what was sent, decompressed"
    );
    assert_eq!(recorded[0].headers["authorization"], "(secret)");
}

#[tokio::test]
async fn rows_show_after_a_while() {
    let config = EmulatorConfig {
        visibility_delay_ms: 300_000,
        ..EmulatorConfig::default()
    };
    let world = World::with(config).await;
    let token = world.token_for(MONITOR).await;
    world.upload(&token, &json!([{ "a": 1 }])).await;
    let path = format!("/_emulator/tables/{TABLE}");
    let view = || async {
        world
            .get(&path)
            .send()
            .await
            .expect("an answer")
            .json::<Value>()
            .await
            .expect("JSON")
    };
    assert_eq!(
        (
            view().await["rows"].as_array().map(Vec::len),
            view().await["pending"].as_u64()
        ),
        (Some(0), Some(1))
    );
    world
        .clock
        .advance_to(world.clock.now() + Duration::minutes(5));
    assert_eq!(
        (
            view().await["rows"].as_array().map(Vec::len),
            view().await["pending"].as_u64()
        ),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn what_azure_would_refuse_is_refused() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    let good_path = upload_path("Custom-PredictiveAlerting_CL");
    let send = |path: String, encoding: &'static str, body: Vec<u8>| {
        let request = world
            .post(&path)
            .bearer_auth(&token)
            .header("content-encoding", encoding)
            .body(body);
        async move { request.send().await.expect("an answer") }
    };
    let other_rule = good_path.replace("dcr-0", "dcr-f");
    let no_version = good_path.split('?').next().expect("a path").to_owned();
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024, "small on the wire");
    let cases = [
        (other_rule, "identity", b"[]".to_vec(), 404, "NotFound"),
        (
            upload_path("Custom-Other_CL"),
            "identity",
            b"[]".to_vec(),
            400,
            "InvalidStream",
        ),
        (
            no_version,
            "identity",
            b"[]".to_vec(),
            400,
            "MissingApiVersionParameter",
        ),
        (
            good_path.clone(),
            "identity",
            vec![b' '; 1024 * 1024 + 1],
            413,
            "ContentLengthLimitExceeded",
        ),
        (
            good_path.clone(),
            "identity",
            vec![b' '; 5 * 1024 * 1024],
            413,
            "RequestEntityTooLarge",
        ),
        (
            good_path.clone(),
            "gzip",
            bomb,
            413,
            "ContentLengthLimitExceeded",
        ),
        (
            good_path.clone(),
            "gzip",
            b"not gzip".to_vec(),
            400,
            "InvalidPayload",
        ),
        (
            good_path.clone(),
            "gzip",
            gzip(b"[{}]")[..10].to_vec(),
            400,
            "InvalidPayload",
        ),
        (
            good_path.clone(),
            "br",
            b"[]".to_vec(),
            400,
            "InvalidPayload",
        ),
        (
            good_path.clone(),
            "identity",
            b"{}".to_vec(),
            400,
            "InvalidPayload",
        ),
        (
            good_path.clone(),
            "identity",
            b"[1]".to_vec(),
            400,
            "InvalidPayload",
        ),
        (
            good_path,
            "identity",
            b"[{\"a\":".to_vec(),
            400,
            "InvalidPayload",
        ),
    ];
    for (path, encoding, body, status, code) in cases {
        let answer = send(path.clone(), encoding, body).await;
        assert_eq!(answer.status().as_u16(), status, "{path} {code}");
        assert_eq!(error_code(answer).await, code);
    }
    assert!(world.emulator.rows(TABLE).is_empty());
}

#[tokio::test]
async fn rows_fit_the_streams_declaration() {
    let rule: RuleConfig = serde_json::from_value(json!({
        "id": EmulatorConfig::RULE_ID,
        "streams": [
            "Custom-Anything",
            {
                "name": "Custom-Declared",
                "table": "Elsewhere_CL",
                "columns": [
                    { "name": "TimeGenerated", "type": "datetime" },
                    { "name": "Name", "type": "string" },
                    { "name": "Count", "type": "long" },
                ],
            },
        ],
    }))
    .expect("a rule");
    let world = World::with(EmulatorConfig {
        rules: vec![rule],
        ..EmulatorConfig::default()
    })
    .await;
    let token = world.token_for(MONITOR).await;
    let rows = json!([
        { "Name": 5, "Count": "many", "Unknown": true },
        { "TimeGenerated": "2026-11-23T10:00:00+01:00", "Count": "7" },
    ]);
    for stream in ["Custom-Declared", "Custom-Anything"] {
        let request = world
            .post(&upload_path(stream))
            .bearer_auth(&token)
            .json(&rows);
        assert_eq!(
            request.send().await.expect("an answer").status(),
            StatusCode::NO_CONTENT
        );
    }
    assert_eq!(
        world.emulator.rows("Elsewhere_CL"),
        [
            json!({ "TimeGenerated": "2026-11-23T10:00:00.000Z", "Name": "5", "Count": null }),
            json!({ "TimeGenerated": "2026-11-23T09:00:00Z", "Name": null, "Count": 7 }),
        ]
    );
    assert_eq!(world.emulator.rows("Anything_CL")[0]["Unknown"], true);
}

#[tokio::test]
async fn a_call_as_full_as_microsofts_clients_fill_it_is_taken() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    // rows of exactly 1 MiB, and what stands between them on top
    let row = json!({ "a": "x".repeat(23) }).to_string();
    let rows = vec![row.as_str(); 1024 * 1024 / row.len()].join(", ");
    let body = format!("[{rows}]");
    assert!(body.len() > 1024 * 1024);
    let request = world
        .post(&upload_path("Custom-PredictiveAlerting_CL"))
        .bearer_auth(&token)
        .header("content-encoding", "gzip")
        .body(gzip(body.as_bytes()));
    assert_eq!(
        request.send().await.expect("an answer").status(),
        StatusCode::NO_CONTENT
    );
}
