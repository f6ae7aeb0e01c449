use http::StatusCode;

use crate::fakes::{FORECAST_ID, HOSTILE, RUN_ID};
use crate::fixture::Desk;

#[tokio::test]
async fn the_overview_shows_the_next_risk_and_a_forecast_with_its_intervals() {
    let desk = Desk::new().await;
    let page = desk.open("/").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("Sat 7 Nov 2026 06:00");
    page.shows("82%");
    page.shows("id=\"forecast-chart\"");
    for class in [
        "band-95",
        "band-80",
        "median",
        "actual",
        "provisional",
        "issue",
    ] {
        page.shows(&format!("class=\"{class}\""));
    }
    page.shows("<title id=\"chart-title\">");
    page.shows("<desc id=\"chart-desc\">The forecast for 72 hours peaks at a median of 27 an hour");
    page.shows("id=\"forecast-table\"");
    page.shows("2 to 40");
    page.shows("1 to 60");
    page.shows("assisted");
    page.shows(&format!("/runs/{RUN_ID}"));
    assert_eq!(page.html.matches("<th scope=\"row\"><time").count(), 72);
}

#[tokio::test]
async fn series_and_moment_of_issue_can_be_picked() {
    let desk = Desk::new().await;
    let page = desk.open("/").await;
    page.shows("series=attack_volume/severity%3DHigh");
    page.shows(&format!(
        "<option value=\"{FORECAST_ID}\" selected>Fri 6 Nov 2026 05:00"
    ));
    let path = format!(
        "/?use_case=attack_volume&series=attack_volume%2Fseverity%3DHigh&forecast={FORECAST_ID}"
    );
    let page = desk.open(&path).await;
    page.shows("severity High: forecast against what happened");
    let asked = desk
        .fakes
        .story()
        .forecast_requests
        .last()
        .cloned()
        .expect("it was asked");
    assert_eq!(
        (asked.series_id.as_str(), asked.forecast_id.as_str()),
        ("attack_volume/severity=High", FORECAST_ID)
    );
}

#[tokio::test]
async fn before_the_first_run_the_pages_say_so() {
    let desk = Desk::new().await;
    desk.fakes.story().empty = true;
    let overview = desk.open("/").await;
    assert_eq!(overview.status, StatusCode::OK);
    overview.shows("id=\"no-forecast\"");
    overview.shows("No forecast warns of one.");
    desk.open("/risk")
        .await
        .shows("No forecast has warned of a high-risk period.");
    desk.open("/runs").await.shows("Nothing has run yet.");
    desk.open("/proposals").await.shows("No proposals here.");
    desk.open("/models")
        .await
        .shows("No model has been trained yet.");
}

#[tokio::test]
async fn risk_periods_tell_what_acts_from_what_is_only_compared() {
    let desk = Desk::new().await;
    let page = desk.open("/risk").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("id=\"risk-table\"");
    page.shows("weekday conformal");
    page.shows("rolling 2sd <span class=\"badge neutral\">baseline</span>");
    page.shows("class=\"past\"");
}

#[tokio::test]
async fn nothing_that_services_say_becomes_markup() {
    let desk = Desk::new().await;
    {
        let mut story = desk.fakes.story();
        story.kill_switch = true;
        story.chain_is_broken = true;
    }
    let single = [
        format!("/runs/{RUN_ID}"),
        format!("/proposals/{}", crate::fakes::PROPOSAL_ID),
    ];
    for path in ["/", "/risk", "/runs", "/proposals", "/audit", "/models"]
        .map(ToOwned::to_owned)
        .iter()
        .chain(&single)
    {
        let page = desk.open(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.hides("<script");
        page.hides(HOSTILE);
        page.hides("product=<b>");
        page.hides("<b>");
    }
}
