//! The tables behave the same on every engine.

use foretide_db::testing::TestDatabase;
use foretide_domain::RunId;

use crate::workspace::{Workspace, hour};

const TOTAL: &str = "attack_volume/total";

#[tokio::test]
async fn runs_training_sets_and_online_values_are_kept_on_every_engine() {
    for database in TestDatabase::every_engine().await {
        let mut workspace = Workspace::on_database(&database).await;
        for day in 0..3 {
            workspace.ingest_usual_day(day, hour(day + 1, 0)).await;
        }
        let set = workspace.train_as_of(hour(3, 0)).await.unwrap();
        assert_eq!(workspace.train_as_of(hour(3, 0)).await.unwrap(), set);

        let run_id = RunId::new();
        let (_, summary) = workspace.materialize(run_id, hour(2, 0)).await.unwrap();
        assert_eq!(
            workspace.materialize(run_id, hour(2, 0)).await.unwrap().1,
            summary
        );
        workspace
            .materialize(RunId::new(), hour(3, 0))
            .await
            .unwrap();
        workspace
            .materialize(RunId::new(), hour(1, 0))
            .await
            .unwrap();

        let values = workspace
            .online(&[TOTAL], &["incident_open_count"])
            .await
            .unwrap();
        assert_eq!(values.len(), 1, "{:?}", database.engine);
        assert_eq!(values[0].value, 78.0, "{:?}", database.engine);
        assert_eq!(values[0].known_at.unwrap().to_moment().unwrap(), hour(3, 0));
    }
}
