//! What is repeated, how often, and what stays out of errors.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use foretide_http::{BodyError, ClientOptions, RetryPolicy, client, read_body, retry_after, send};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

fn quick() -> RetryPolicy {
    RetryPolicy {
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    }
}

/// Serves the statuses in turn, the last one for ever; counts the calls.
async fn serve(statuses: &'static [(u16, Option<&'static str>)]) -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let app = Router::new().route(
        "/",
        get(move || {
            let call = counted
                .fetch_add(1, Ordering::SeqCst)
                .min(statuses.len() - 1);
            let (status, after) = statuses[call];
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, after.parse().unwrap());
            }
            async move { (StatusCode::from_u16(status).unwrap(), headers, "body") }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (url, calls)
}

#[tokio::test]
async fn throttling_and_server_errors_are_repeated_until_they_pass() {
    let (url, calls) = serve(&[(429, Some("0")), (503, None), (200, None)]).await;
    let http = client(&ClientOptions::default()).unwrap();
    let response = send(&quick(), || http.get(&url)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), calls.load(Ordering::SeqCst)),
        (200, 3)
    );
}

#[tokio::test]
async fn refusals_are_not_repeated() {
    for status in [
        &[(400, None)],
        &[(401, None)],
        &[(404, None)],
        &[(501, None)],
    ] {
        let (url, calls) = serve(status).await;
        let http = client(&ClientOptions::default()).unwrap();
        send(&quick(), || http.get(&url)).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_wait_longer_than_allowed_is_left_to_the_caller() {
    let (url, calls) = serve(&[(429, Some("3600"))]).await;
    let http = client(&ClientOptions::default()).unwrap();
    let response = send(&quick(), || http.get(&url)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), calls.load(Ordering::SeqCst)),
        (429, 1)
    );
}

#[tokio::test]
async fn a_transport_error_does_not_show_the_url() {
    let http = client(&ClientOptions::default()).unwrap();
    let error = send(&quick(), || http.get("http://127.0.0.1:1/?sig=hunter2"))
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_body_past_the_limit_is_not_read() {
    let (url, _) = serve(&[(200, None)]).await;
    let http = client(&ClientOptions::default()).unwrap();
    let response = http.get(&url).send().await.unwrap();
    assert!(matches!(
        read_body(response, 3).await,
        Err(BodyError::TooLarge { limit: 3 })
    ));
}

#[test]
fn retry_after_is_read_in_both_forms() {
    let read = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Mon, 23 Nov 2026 10:00:00 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers)
    };
    assert_eq!(read("7"), Some(Duration::from_secs(7)));
    assert_eq!(
        read("Mon, 23 Nov 2026 10:00:30 GMT"),
        Some(Duration::from_secs(30))
    );
    assert_eq!(read("Mon, 23 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(read("soon"), None);

    let mut undated = HeaderMap::new();
    let date = "Mon, 23 Nov 2026 10:00:30 GMT".parse().unwrap();
    undated.insert(RETRY_AFTER, date);
    assert_eq!(retry_after(&undated), None, "relative to nothing");
}
