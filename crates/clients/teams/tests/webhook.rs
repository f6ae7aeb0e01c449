//! Posting to a Workflows webhook, with the emulator on the other side.

use std::collections::BTreeMap;
use std::time::Duration;

use foretide_domain::RunningClock;
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultAction};
use foretide_http::ClientOptions;
use foretide_teams::{
    Fact, NoticeDriver, RiskNotice, TeamsClient, TeamsError, TeamsMessage, WebhookUrl,
};
use secrecy::SecretString;

const WEBHOOK: &str = "/workflows/";

async fn channel() -> (EmulatorHandle, TeamsClient) {
    let clock =
        RunningClock::starting_at("2026-11-23T06:00:00Z".parse().expect("a moment")).shared();
    let emulator = Emulator::start(EmulatorConfig::default(), clock)
        .await
        .expect("the emulator starts");
    let client = client_of(&emulator.teams_webhook_url());
    (emulator, client)
}

fn client_of(address: &str) -> TeamsClient {
    let webhook = WebhookUrl::parse(&SecretString::from(address)).expect("a webhook");
    TeamsClient::new(webhook, &ClientOptions::default()).expect("a client")
}

fn message() -> TeamsMessage {
    let notice = RiskNotice {
        title: "High load expected on Saturday".to_owned(),
        summary: "More incidents than the shift can carry.".to_owned(),
        facts: vec![Fact::new("Period", "Sat 06:00 to 14:00")],
        drivers: vec![NoticeDriver {
            name: "campaign".to_owned(),
            contribution: 40.0,
        }],
        review_url: "https://foretide.example/proposals/1"
            .parse()
            .expect("an address"),
    };
    notice.message().expect("fits")
}

#[tokio::test]
async fn what_was_approved_is_what_arrives() {
    let (emulator, client) = channel().await;
    client.post(&message()).await.expect("accepted");
    let received = emulator.requests(WEBHOOK);
    assert_eq!(received.len(), 1);
    assert_eq!(
        TeamsMessage::parse(&received[0].body.to_string()),
        Ok(message())
    );
}

#[tokio::test]
async fn every_status_is_a_decision() {
    let (emulator, client) = channel().await;
    for (status, repeat, words) in [
        (400, false, "switched on"),
        (401, false, "signature"),
        (403, false, "signature"),
        (404, false, "gone"),
        (410, false, "gone"),
        (413, false, "too large"),
        (429, true, "no more messages"),
        (500, true, "not available"),
        (503, true, "not available"),
        (302, false, "not expected"),
        (418, false, "not expected"),
    ] {
        emulator.add_fault(Fault::at(WEBHOOK, 1, FaultAction::status(status)));
        let error = client.post(&message()).await.expect_err("refused");
        assert_eq!(error.is_worth_repeating(), repeat, "{status}");
        assert!(error.to_string().contains(words), "{status}: {error}");
        assert!(!error.may_have_been_posted());
        assert_keeps_the_secret(&error);
    }
}

#[tokio::test]
async fn it_says_how_long_to_wait() {
    let (emulator, client) = channel().await;
    let FaultAction::Answer(mut answer) = FaultAction::status(429) else {
        unreachable!("made so")
    };
    answer.headers = BTreeMap::from([("Retry-After".to_owned(), "17".to_owned())]);
    emulator.add_fault(Fault::at(WEBHOOK, 1, FaultAction::Answer(answer)));
    let error = client.post(&message()).await.expect_err("refused");
    let wait = Duration::from_secs(17);
    assert!(matches!(error, TeamsError::RateLimited { retry_after: Some(asked) } if asked == wait));
}

#[tokio::test]
async fn a_lost_answer_is_not_repeated_and_says_that_it_may_have_arrived() {
    let (emulator, client) = channel().await;
    emulator.add_fault(Fault::at(WEBHOOK, 1, FaultAction::drop_response()));
    let error = client.post(&message()).await.expect_err("no answer");
    assert!(
        error.may_have_been_posted() && !error.is_worth_repeating(),
        "{error:?}"
    );
    assert_eq!(emulator.requests(WEBHOOK).len(), 1);
    assert_keeps_the_secret(&error);
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let error = client_of("http://127.0.0.1:9/workflows/x?sig=emulator")
        .post(&message())
        .await;
    let error = error.expect_err("unreachable");
    assert!(matches!(error, TeamsError::Unreachable(_)) && error.is_worth_repeating());
    assert_keeps_the_secret(&error);
}

fn assert_keeps_the_secret(error: &TeamsError) {
    let everything = format!("{error} {error:?}");
    assert!(!everything.contains("sig="), "{everything}");
    assert!(!everything.contains("/workflows/"), "{everything}");
}
