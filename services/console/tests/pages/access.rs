use axum::body::Body;
use http::header::{COOKIE, HOST, ORIGIN};
use http::{Request, StatusCode};

use crate::fakes::{PROPOSAL_ID, RUN_ID, TOKEN};
use crate::fixture::{Desk, form};

const PAGES: [&str; 6] = ["/", "/risk", "/runs", "/proposals", "/audit", "/models"];

#[tokio::test]
async fn strangers_are_asked_to_log_in_and_led_back() {
    let desk = Desk::new().await;
    for path in PAGES {
        let page = desk.open_as(path, None).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(
            page.location().starts_with("/login?next=%2F"),
            "{}",
            page.location()
        );
        page.hides("table");
    }
    let page = desk.open_as("/proposals/1?x=y", None).await;
    assert_eq!(page.location(), "/login?next=%2Fproposals%2F1%3Fx%3Dy");
    let page = desk
        .send(form(Request::post("/proposals/1/approve"), &[]))
        .await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/login?next=%2F")
    );
}

#[tokio::test]
async fn a_token_that_is_no_longer_known_ends_the_session() {
    let desk = Desk::new().await;
    let page = desk.open_as("/", Some("somebody-elses-token")).await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/login")
    );
    assert!(page.cookie().contains("Max-Age=0"));
}

#[tokio::test]
async fn logging_in_keeps_the_token_out_of_reach_of_scripts() {
    let desk = Desk::new().await;
    let page = desk.open_as("/login?next=/proposals/7", None).await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("id=\"login-token\"");
    assert_eq!(page.field("next"), "/proposals/7");

    let fields = [("token", TOKEN), ("next", "/proposals/7")];
    let page = desk.send(form(Request::post("/login"), &fields)).await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/proposals/7")
    );
    assert_eq!(
        page.cookie(),
        format!("foretide_session={TOKEN}; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800")
    );
    let elsewhere = [("token", TOKEN), ("next", "https://evil.example/")];
    assert_eq!(
        desk.send(form(Request::post("/login"), &elsewhere))
            .await
            .location(),
        "/"
    );
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_in_words() {
    let desk = Desk::new().await;
    let long = "x".repeat(5000);
    for (token, words) in [
        ("", "This is not a token"),
        ("with space in it", "This is not a token"),
        ("a;b", "This is not a token"),
        ("new\nline-and-more-of-it", "This is not a token"),
        (long.as_str(), "This is not a token"),
        ("unknown-but-well-formed", "This token is not known"),
    ] {
        let page = desk
            .send(form(Request::post("/login"), &[("token", token)]))
            .await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{token:?}");
        page.shows(words);
        assert!(!page.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn logging_out_needs_the_persons_own_form() {
    let desk = Desk::new().await;
    assert_eq!(
        desk.submit("/logout", &[]).await.status,
        StatusCode::FORBIDDEN
    );
    let form_token = desk.open("/runs").await.field("form_token");
    let page = desk.submit("/logout", &[("form_token", &form_token)]).await;
    assert_eq!(page.location(), "/login");
    assert!(page.cookie().starts_with("foretide_session=;") && page.cookie().contains("Max-Age=0"));
}

#[tokio::test]
async fn other_sites_can_post_nothing_not_even_a_login() {
    let desk = Desk::new().await;
    let post = || Request::post("/login").header(HOST, "foretide.example");
    let fields = [("token", TOKEN)];
    for request in [
        post().header(ORIGIN, "https://evil.example"),
        post().header(ORIGIN, "null"),
        post().header("sec-fetch-site", "cross-site"),
        post().header("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(
            desk.send(form(request, &fields)).await.status,
            StatusCode::FORBIDDEN
        );
    }
    let own = post()
        .header(ORIGIN, "https://foretide.example")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(
        desk.send(form(own, &fields)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_link_from_teams_opens_itself_again_so_that_the_cookie_comes_along() {
    let desk = Desk::new().await;
    let request = Request::get("/proposals/7").header("sec-fetch-site", "cross-site");
    let page = desk
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("content=\"0; url=/proposals/7\"");
    let hostile = Request::get("/x?%22%3E%3Cscript%3E").header("sec-fetch-site", "cross-site");
    desk.send(hostile.body(Body::empty()).expect("a request"))
        .await
        .hides("<script>");
}

#[tokio::test]
async fn every_answer_forbids_scripts_frames_and_caching() {
    let desk = Desk::new().await;
    for path in ["/", "/login", "/nowhere", "/healthz"] {
        let page = desk.open(path).await;
        let policy = page.headers["content-security-policy"]
            .to_str()
            .expect("text");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(page.headers["x-frame-options"], "DENY");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["referrer-policy"], "same-origin");
        assert_eq!(page.headers["cache-control"], "no-store");
        page.hides("<script");
        page.hides("style=");
    }
    let styles = desk.open_as("/static/console.css", None).await;
    assert_eq!(
        (
            styles.status,
            &styles.headers["content-type"].as_bytes()[..8]
        ),
        (StatusCode::OK, &b"text/css"[..])
    );
    assert_eq!(desk.open_as("/healthz", None).await.html, "ok");
}

#[tokio::test]
async fn what_is_not_there_or_not_reachable_is_said_in_words() {
    let desk = Desk::new().await;
    for (path, status, words) in [
        (
            "/nowhere".to_owned(),
            StatusCode::NOT_FOUND,
            "There is no such page.",
        ),
        (
            "/runs/unknown".to_owned(),
            StatusCode::NOT_FOUND,
            "Run unknown does not exist.",
        ),
        (
            "/proposals/unknown".to_owned(),
            StatusCode::NOT_FOUND,
            "Proposal unknown does not exist.",
        ),
        (
            "/proposals?state=odd".to_owned(),
            StatusCode::BAD_REQUEST,
            "There is no proposal state",
        ),
        (
            "/audit?from=abc".to_owned(),
            StatusCode::BAD_REQUEST,
            "must be a number",
        ),
        (
            "/?use_case=odd".to_owned(),
            StatusCode::BAD_REQUEST,
            "There is no use case",
        ),
        (
            "/?series=attack_volume/severity=Unknown".to_owned(),
            StatusCode::NOT_FOUND,
            "There is no such page.",
        ),
    ] {
        let page = desk.open(&path).await;
        assert_eq!(page.status, status, "{path}");
        page.shows(words);
    }
    let alone = Desk::alone().await;
    let single = [
        format!("/runs/{RUN_ID}"),
        format!("/proposals/{PROPOSAL_ID}"),
    ];
    for path in PAGES.map(ToOwned::to_owned).iter().chain(&single) {
        let page = alone.open(path).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        page.shows("cannot be reached at the moment");
        page.hides("tcp");
        page.hides("127.0.0.1");
    }
    let login = alone
        .send(form(Request::post("/login"), &[("token", TOKEN)]))
        .await;
    assert_eq!(login.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn oversized_forms_and_odd_cookies_are_refused() {
    let desk = Desk::new().await;
    let large = "x".repeat(100_000);
    let page = desk
        .send(form(Request::post("/login"), &[("token", &large)]))
        .await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let odd = Request::get("/").header(COOKIE, "foretide_session=a b;;; =; x");
    let page = desk.send(odd.body(Body::empty()).expect("a request")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
}
