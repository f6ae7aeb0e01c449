//! The cluster's shape: replicas on one PostgreSQL database.

use foretide_api::orchestration::v1::{RunState, StartRunRequest};
use foretide_db::testing::TestDatabase;
use foretide_orchestrator::config::{CalendarConfig, Config};
use foretide_service_runtime::testing::TestContext;
use tonic::Code;

use crate::fakes::{Answer, Fakes};
use crate::story::{NOW, Orchestrator, at, by_hand, step, until};

async fn replica(database: &TestDatabase, fakes: &Fakes, config: Config) -> Orchestrator {
    let mut context = TestContext::new("orchestrator", at(NOW), &fakes.peers());
    context.ctx.database = database.config.clone();
    Orchestrator::start_in(context, config).await
}

#[tokio::test]
async fn replicas_share_runs_ticks_and_dead_letters() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let fakes = Fakes::start().await;
    let config = Config {
        calendar: CalendarConfig::default(),
        ..by_hand()
    };
    let first = replica(&database, &fakes, config.clone()).await;
    let second = replica(&database, &fakes, config).await;
    until("the missed refresh is made up for", async || {
        second.runs().await.len() == 1
    })
    .await;
    let refresh = second.runs().await.remove(0);
    assert_eq!(
        second.ended(&refresh.run_id).await.state(),
        RunState::Succeeded
    );

    fakes.answer(
        "score",
        [Answer::Refuse(Code::FailedPrecondition, "no champion")],
    );
    let request = StartRunRequest {
        kind: "forecast".to_owned(),
        dedup_key: "today".to_owned(),
        ..Default::default()
    };
    let both = futures::future::join(
        first.start_run_with(request.clone()),
        second.start_run_with(request),
    );
    let (run, same) = both.await;
    assert_eq!(run.run_id, same.run_id);
    let failed = second.ended(&run.run_id).await;
    assert_eq!(
        step(&failed, "score").error,
        "failed precondition: no champion"
    );
    second.retry(&first.dead_letter().await.job_id).await;
    assert_eq!(first.ended(&run.run_id).await.state(), RunState::Succeeded);
    let ingests = fakes
        .walked()
        .iter()
        .filter(|asked| *asked == "ingest")
        .count();
    assert_eq!(ingests, 2, "one for the tick, one for the run");
}
