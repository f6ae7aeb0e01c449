//! The vault's tables. What each is for stands in the migration.

/// The secret of an epoch, wrapped.
pub(crate) mod pseudonym_epoch {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pseudonym_epoch")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub starts_on: Date,
        #[sea_orm(column_type = "Blob", nullable)]
        pub wrapped_secret: Option<Vec<u8>>,
        pub first_master_key: String,
        pub master_key: String,
        pub created_at: DateTimeUtc,
        pub created_by: String,
        pub dropped_at: Option<DateTimeUtc>,
        pub dropped_by: Option<String>,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("pseudonym_epoch")
                .field("id", &self.id)
                .finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The value behind a pseudonym, sealed.
pub(crate) mod pseudonym_vault {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pseudonym_vault")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pseudonym: String,
        pub epoch: i32,
        pub kind: String,
        #[sea_orm(column_type = "Blob", nullable)]
        pub sealed: Option<Vec<u8>>,
        pub table_name: String,
        pub known_at: DateTimeUtc,
        pub run_id: Uuid,
        pub erased_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Two pseudonyms of one entity.
pub(crate) mod pseudonym_alias {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pseudonym_alias")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub newer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub older: String,
        pub newer_epoch: i32,
        pub older_epoch: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
