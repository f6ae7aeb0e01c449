//! Schemas are brought up to date once, by whoever comes first, and never by an older version.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use async_trait::async_trait;
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_migrations::{MigrateError, migrate};
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use sea_orm_migration::prelude::*;

struct First;
struct Second;
struct Broken;

macro_rules! migration {
    ($name:ident, $version:literal, $table:literal) => {
        impl MigrationName for $name {
            fn name(&self) -> &str {
                $version
            }
        }

        #[async_trait]
        impl MigrationTrait for $name {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                let table = Table::create()
                    .table($table)
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .to_owned();
                manager.create_table(table).await
            }
        }
    };
}
migration!(First, "m0001_first", "first");
migration!(Second, "m0002_second", "second");
migration!(Broken, "m0003_broken", "second");

macro_rules! migrator {
    ($name:ident, $($migration:ident),+) => {
        struct $name;
        #[async_trait]
        impl MigratorTrait for $name {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![$(Box::new($migration)),+]
            }
        }
    };
}
migrator!(Old, First);
migrator!(New, First, Second);
migrator!(Failing, First, Second, Broken);

async fn connect(test: &TestDatabase) -> Database {
    Database::connect(&test.config, "feature-store")
        .await
        .unwrap()
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once() {
    for test in TestDatabase::every_engine().await {
        let replicas = [
            connect(&test).await,
            connect(&test).await,
            connect(&test).await,
        ];
        let outcomes = join_all(replicas.iter().map(migrate::<New>)).await;
        let applied: Vec<String> = outcomes.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(applied, ["m0001_first", "m0002_second"]);
    }
}

#[tokio::test]
async fn an_older_version_refuses_a_newer_schema() {
    for test in TestDatabase::every_engine().await {
        let database = connect(&test).await;
        migrate::<Old>(&database).await.unwrap();
        assert_eq!(migrate::<New>(&database).await.unwrap(), ["m0002_second"]);
        let refused = migrate::<Old>(&database).await.unwrap_err();
        assert!(
            matches!(&refused, MigrateError::NewerSchema { unknown, .. } if unknown == "m0002_second")
        );
        assert!(refused.to_string().contains("feature-store"), "{refused}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    for test in TestDatabase::every_engine().await {
        let database = connect(&test).await;
        let failed = migrate::<Failing>(&database).await.unwrap_err();
        assert!(matches!(failed, MigrateError::Database { .. }));
        let tables = database
            .connection()
            .execute_unprepared("SELECT * FROM first")
            .await;
        assert!(tables.is_err(), "the first table must be gone again");
        assert_eq!(migrate::<New>(&database).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn every_schema_of_foretide_applies_on_every_engine_and_only_once() {
    for test in TestDatabase::every_engine().await {
        macro_rules! twice {
            ($($service:literal => $module:ident),+) => { $(
                let database = Database::connect(&test.config, $service).await.unwrap();
                let all = foretide_migrations::$module::Migrator::migrations().len();
                assert_eq!(migrate::<foretide_migrations::$module::Migrator>(&database).await.unwrap().len(), all);
                assert!(migrate::<foretide_migrations::$module::Migrator>(&database).await.unwrap().is_empty());
            )+ };
        }
        twice!(
            "auditor" => auditor, "broker" => broker, "feature-store" => feature_store,
            "ingestion" => ingestion, "orchestrator" => orchestrator, "scorer" => scorer,
            "trainer" => trainer
        );
    }
}
