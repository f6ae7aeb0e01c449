use foretide_console::config::Config;
use http::StatusCode;

use crate::fakes::RUN_ID;
use crate::fixture::Desk;

#[tokio::test]
async fn a_run_shows_its_steps_and_loads_itself_again_only_while_it_goes_on() {
    let desk = Desk::new().await;
    let path = format!("/runs/{RUN_ID}");
    let failed = desk.open(&path).await;
    failed.shows("id=\"steps-table\"");
    failed.shows("<span class=\"badge bad\">failed</span>");
    failed.shows("60 min");
    failed.shows("&#34;rows&#34;: 216");
    failed.shows("read: 40 rows of 2 objects");
    failed.shows("not read: ");
    failed.shows("Delivered: 72 rows of PredictiveAlerting_CL (visible).");
    failed.shows("Waiting: 5 rows of AI_Governance_CL: ");
    failed.hides("http-equiv");
    desk.fakes.story().run_is_running = true;
    let running = desk.open(&path).await;
    running.shows("<meta http-equiv=\"refresh\" content=\"3\">");
    running.shows("scoring: 3 of 9");
    let runs = desk.open("/runs").await;
    runs.shows("id=\"runs-table\"");
    runs.shows("daily forecast");
    runs.hides("http-equiv");
}

#[tokio::test]
async fn the_audit_log_is_paged_filtered_and_tells_whether_it_is_whole() {
    let desk = Desk::new().await;
    let page = desk.open(&format!("/audit?run_id={RUN_ID}")).await;
    page.shows("id=\"audit-table\"");
    page.shows("The chain is whole: 250 records.");
    page.shows(&format!("/audit?run_id={RUN_ID}&amp;from=150"));
    assert_eq!(
        page.html
            .matches("<th scope=\"row\" class=\"num\">")
            .count(),
        100
    );
    let older = desk.open(&format!("/audit?run_id={RUN_ID}&from=50")).await;
    older.hides("id=\"older-records\"");
    {
        let story = desk.fakes.story();
        let asked = &story.audit_requests[1];
        assert_eq!(
            (
                asked.from_sequence,
                asked.run_id.as_str(),
                asked.newest_first
            ),
            (50, RUN_ID, true)
        );
    }
    desk.fakes.story().chain_is_broken = true;
    let broken = desk.open("/audit").await;
    broken.shows("The chain is broken at record 240: the hash does not fit");
    broken.shows("class=\"broken\"");
}

#[tokio::test]
async fn models_show_what_the_champion_was_chosen_over() {
    let desk = Desk::new().await;
    let page = desk.open("/models").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("climatology <span class=\"badge good\">champion</span>");
    page.shows("<td class=\"num\">100%</td>");
    page.shows("seasonal naive");
    page.shows("learning");
    page.shows("79%");
    page.shows("0.789");
    page.shows("4 entries wait in the ledger");
}

#[test]
fn the_example_configuration_is_the_default() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml");
    let config: Config = foretide_config::load(&path, &|_| None).expect("the example is valid");
    assert_eq!(config, Config::default());
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn a_session_without_end_is_refused() {
    let endless = Config {
        session_minutes: 0,
        ..Config::default()
    };
    assert!(
        endless
            .validate()
            .is_err_and(|problem| problem.contains("session_minutes"))
    );
    let long = Config {
        chart_history_hours: 5000,
        ..Config::default()
    };
    assert!(
        long.validate()
            .is_err_and(|problem| problem.contains("chart_history_hours"))
    );
}
