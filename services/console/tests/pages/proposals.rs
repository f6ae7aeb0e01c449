use http::StatusCode;
use tonic::Status;

use crate::fakes::{HASH, PROPOSAL_ID};
use crate::fixture::Desk;

fn page_of(action: &str) -> String {
    format!("/proposals/{PROPOSAL_ID}{action}")
}

#[tokio::test]
async fn a_person_approves_exactly_what_the_page_showed() {
    let desk = Desk::new().await;
    let page = desk.open(&page_of("")).await;
    page.shows("id=\"approve-button\"");
    page.shows("id=\"reject-button\"");
    page.shows(&format!(
        "<code id=\"payload-hash\" class=\"hash\">{HASH}</code>"
    ));
    let (form_token, payload_hash) = (page.field("form_token"), page.field("payload_hash"));
    let fields = [
        ("form_token", form_token.as_str()),
        ("payload_hash", &payload_hash),
        ("comment", "go ahead"),
    ];
    let done = desk.submit(&page_of("/approve"), &fields).await;
    assert_eq!(
        (done.status, done.location()),
        (StatusCode::SEE_OTHER, page_of("").as_str())
    );
    {
        let story = desk.fakes.story();
        let approval = &story.approvals[0];
        assert_eq!(
            (
                approval.proposal_id.as_str(),
                approval.payload_hash.as_str()
            ),
            (PROPOSAL_ID, HASH)
        );
        assert_eq!(
            (approval.comment.as_str(), approval.route.as_str()),
            ("go ahead", "console")
        );
    }
    let after = desk.open(&page_of("")).await;
    after.shows("accepted (202)");
    after.hides("id=\"approve-button\"");
}

#[tokio::test]
async fn a_person_rejects_with_a_reason() {
    let desk = Desk::new().await;
    let form_token = desk.open(&page_of("")).await.field("form_token");
    let fields = [
        ("form_token", form_token.as_str()),
        ("comment", "not this weekend"),
    ];
    let done = desk.submit(&page_of("/reject"), &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let story = desk.fakes.story();
    assert_eq!(story.rejections[0].comment, "not this weekend");
    assert_eq!(story.rejections[0].route, "console");
}

#[tokio::test]
async fn forms_without_the_persons_form_token_do_nothing() {
    let desk = Desk::new().await;
    for action in ["/approve", "/reject"] {
        for form_token in ["", "0", &"0".repeat(64)] {
            let fields = [("form_token", form_token), ("payload_hash", HASH)];
            let page = desk.submit(&page_of(action), &fields).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN);
        }
        assert_eq!(
            desk.submit(&page_of(action), &[]).await.status,
            StatusCode::FORBIDDEN
        );
    }
    let story = desk.fakes.story();
    assert!(story.approvals.is_empty() && story.rejections.is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_broker_is_shown_on_the_page() {
    let desk = Desk::new().await;
    let form_token = desk.open(&page_of("")).await.field("form_token");
    for (refusal, status, words) in [
        (
            Status::permission_denied("anna proposed this and cannot approve it"),
            StatusCode::FORBIDDEN,
            "Not done. Anna proposed this and cannot approve it.",
        ),
        (
            Status::failed_precondition("the proposal has expired"),
            StatusCode::CONFLICT,
            "Not done. The proposal has expired.",
        ),
        (
            Status::invalid_argument("payload_hash is of another payload"),
            StatusCode::BAD_REQUEST,
            "Not done. Payload_hash is of another payload.",
        ),
    ] {
        desk.fakes.story().refusal = Some(refusal);
        let fields = [("form_token", form_token.as_str()), ("payload_hash", HASH)];
        let page = desk.submit(&page_of("/approve"), &fields).await;
        assert_eq!(page.status, status);
        page.shows("id=\"refusal\"");
        page.shows(words);
        page.shows("id=\"approve-button\"");
    }
    desk.fakes.story().refusal = Some(Status::internal("secret: database at 10.0.0.7"));
    let page = desk
        .submit(&page_of("/approve"), &[("form_token", &form_token)])
        .await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    page.hides("10.0.0.7");
}

#[tokio::test]
async fn the_list_can_be_filtered_and_tells_of_the_kill_switch() {
    let desk = Desk::new().await;
    let page = desk.open("/proposals?state=waiting").await;
    page.shows("id=\"proposals-table\"");
    page.shows("<a href=\"/proposals?state=waiting\" aria-current=\"true\">Waiting</a>");
    page.hides("id=\"kill-switch\"");
    desk.fakes.story().kill_switch = true;
    desk.open("/proposals")
        .await
        .shows("The kill switch is on: nothing is executed.");
}
