//! Schema of the `auditor` service.

use sea_orm_migration::prelude::*;

/// Migrations of the `auditor` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![]
    }
}
