//! One request serves many callers, and an old token is better than none.

use foretide_entra::{EntraError, TokenSource};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::fake::{Bench, MONITOR, token};

#[tokio::test]
async fn many_callers_share_one_request() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    let callers = (0..50).map(|_| bench.token());
    for answer in futures::future::join_all(callers).await {
        assert_eq!(answer.unwrap(), "first");
    }
    assert_eq!(bench.endpoint.requests().len(), 1);
}

#[tokio::test]
async fn while_one_caller_refreshes_the_others_go_on_with_the_old_token() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    bench.token().await.unwrap();
    bench.after(3_400);
    bench.endpoint.will_answer(200, &token("second", 3_599));
    let closed = bench.endpoint.gate.lock().await;
    let refreshing = bench.token();
    tokio::pin!(refreshing);
    while bench.endpoint.requests().len() < 2 {
        tokio::select! {
            _ = &mut refreshing => panic!("answered before the gate opened"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(
        bench.token().await.unwrap(),
        "first",
        "served while the endpoint is slow"
    );
    drop(closed);
    assert_eq!(refreshing.await.unwrap(), "second");
    assert_eq!(bench.token().await.unwrap(), "second");
}

#[tokio::test]
async fn a_caller_who_gives_up_blocks_nobody() {
    let bench = Bench::with_secret().await;
    bench
        .endpoint
        .will_answer(200, &token("lost", 3_599))
        .will_answer(200, &token("second", 3_599));
    {
        let closed = bench.endpoint.gate.lock().await;
        let asking = bench.token();
        tokio::pin!(asking);
        while bench.endpoint.requests().is_empty() {
            tokio::select! {
                _ = &mut asking => panic!("answered before the gate opened"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(closed);
    }
    // Whether the endpoint still took the first answer for the caller who left is its affair.
    let token = bench.token().await.unwrap();
    assert!(["lost", "second"].contains(&token.as_str()), "{token}");
}

#[tokio::test]
async fn audiences_do_not_share_a_token_but_a_slash_makes_no_other_audience() {
    let bench = Bench::with_secret().await;
    bench
        .endpoint
        .will_answer(200, &token("monitor", 3_599))
        .will_answer(200, &token("logs", 3_599));
    assert_eq!(bench.token().await.unwrap(), "monitor");
    let slashed = bench
        .source
        .token("https://monitor.azure.com/")
        .await
        .unwrap();
    assert_eq!(slashed.secret.expose_secret(), "monitor");
    let logs = bench
        .source
        .token("https://api.loganalytics.io")
        .await
        .unwrap();
    assert_eq!(logs.secret.expose_secret(), "logs");
    let scopes: Vec<_> = bench
        .endpoint
        .requests()
        .iter()
        .map(|asked| asked.form()["scope"].clone())
        .collect();
    assert_eq!(
        scopes,
        [
            "https://monitor.azure.com/.default",
            "https://api.loganalytics.io/.default"
        ]
    );
}

#[tokio::test]
async fn an_endpoint_that_asks_for_silence_is_left_alone_until_then() {
    let bench = Bench::with_secret().await;
    bench
        .endpoint
        .will_answer_text(429, vec![("retry-after", "60".to_owned())], "{}");
    assert!(matches!(
        bench.token().await,
        Err(EntraError::Throttled { .. })
    ));
    bench.after(20);
    let error = bench.token().await.unwrap_err();
    assert!(
        matches!(error, EntraError::Throttled { retry_after: Some(wait) } if wait.as_secs() == 40),
        "{error}"
    );
    assert_eq!(
        bench.endpoint.requests().len(),
        1,
        "{MONITOR} was asked for once"
    );
    bench.after(60);
    bench.endpoint.will_answer(200, &token("first", 3_599));
    assert_eq!(bench.token().await.unwrap(), "first");
}

#[tokio::test]
async fn a_silence_of_years_is_not_believed() {
    let bench = Bench::with_secret().await;
    bench
        .endpoint
        .will_answer_text(429, vec![("retry-after", "4294967295".to_owned())], "{}");
    bench.token().await.unwrap_err();
    bench.after(901);
    bench.endpoint.will_answer(200, &token("first", 3_599));
    assert_eq!(bench.token().await.unwrap(), "first");
}

#[tokio::test]
async fn a_refusal_during_refresh_does_not_take_the_old_token_away() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    bench.token().await.unwrap();
    bench.after(3_400);
    bench.endpoint.will_answer(
        401,
        &json!({"error": "invalid_client", "error_codes": [7_000_222]}),
    );
    assert_eq!(bench.token().await.unwrap(), "first");
    bench.after(3_599);
    bench.endpoint.will_answer(
        401,
        &json!({"error": "invalid_client", "error_codes": [7_000_222]}),
    );
    let error = bench.token().await.unwrap_err();
    assert!(error.to_string().contains("make a new one"), "{error}");
}
