//! As in the cluster: the export and the lake in Azure Blob Storage, the ledger in PostgreSQL.

use bytes::Bytes;
use foretide_db::DatabaseConfig;
use foretide_domain::Measure;
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_lake::{Lake, LakeConfig};
use foretide_service_runtime::testing::TestContext;
use foretide_test_support::{Azurite, Postgres, or_skip};
use secrecy::SecretString;

use crate::world::{Incident, World, at};

const PATH: &str = "WorkspaceResourceId=/subscriptions/s/resourcegroups/g/providers/microsoft.operationalinsights/workspaces/w/y=2026/m=11/d=20/h=09/m=00";

fn location(azurite: &Azurite, url: &str) -> LakeConfig {
    LakeConfig {
        url: url.to_owned(),
        account: Some(Azurite::ACCOUNT.to_owned()),
        access_key: Some(SecretString::from(Azurite::KEY)),
        endpoint: Some(format!("{}/{}", azurite.url(), Azurite::ACCOUNT)),
        use_emulator: false,
    }
}

#[tokio::test]
async fn blobs_and_postgresql_serve_as_well_as_files_and_sqlite() {
    let Some(azurite) = or_skip(Azurite::start().await).unwrap() else {
        return;
    };
    let Some(postgres) = or_skip(Postgres::start().await).unwrap() else {
        return;
    };
    for container in ["am-securityincident", "lake"] {
        azurite.create_container(container).await.unwrap();
    }
    let export = Lake::open(&location(&azurite, "az://am-securityincident")).unwrap();
    let put = async |name: &str, lines: Vec<Incident>| {
        let text: String = lines.iter().map(Incident::line).collect();
        export
            .put_immutable(&format!("{PATH}/{name}"), Bytes::from(text))
            .await
            .unwrap();
    };
    put(
        "PT05M.json",
        vec![
            Incident::new(1, 545, "High"),
            Incident::new(2, 3000, "High").logged(550),
        ],
    )
    .await;

    let mut context = TestContext::new("ingestion", at("2026-11-23T00:00:00Z"), &[]);
    context.ctx.lake = Lake::open(&location(&azurite, "az://lake/contoso")).unwrap();
    context.ctx.database = DatabaseConfig::new(postgres.url());
    let config = Config {
        files: Some(FilesConfig {
            locations: vec![location(&azurite, "az://am-securityincident")],
            ..FilesConfig::default()
        }),
        pseudonym_key: Some(SecretString::from("0".repeat(64))),
        ..Config::default()
    };
    let world = World::start(context, config).await;
    let summary = world.ingest("2026-11-21T00:00:00Z").await;
    let incidents = &summary["SecurityIncident"];
    assert_eq!(
        (
            incidents.error.as_str(),
            incidents.rows_read,
            incidents.rows_quarantined
        ),
        ("", 2, 1)
    );
    assert_eq!(
        world.reasons("SecurityIncident").await["implausible_time"],
        1
    );
    put(
        "PT05M_1.json",
        vec![
            Incident::new(1, 545, "Low").logged(600).closed(590),
            Incident::new(3, 546, "Low"),
        ],
    )
    .await;
    world.ingest("2026-11-21T06:00:00Z").await;
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-21T00:00:00Z")
            .await,
        1.0
    );
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-21T06:00:00Z")
            .await,
        2.0
    );
    assert_eq!(
        world
            .count(Measure::IncidentsClosed, "2026-11-21T06:00:00Z")
            .await,
        1.0
    );
    let again = world.ingest("2026-11-21T07:00:00Z").await;
    assert_eq!(again["SecurityIncident"].rows_read, 0);
    assert_eq!(world.watermarks().await[0].rows_total, 4);
}
