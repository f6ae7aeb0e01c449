//! The tables, one module each. See `migrations/src/feature_store.rs`.

/// Specifications of views that were materialized, for people and audits.
pub(crate) mod feature_view {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "feature_view")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) use_case: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) view: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) spec_hash: String,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) spec: Json,
        pub(crate) run_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Files of feature rows, one for each run and use case.
pub(crate) mod materialization {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "materialization")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) use_case: String,
        pub(crate) view: String,
        pub(crate) spec_hash: String,
        pub(crate) known_at: DateTimeUtc,
        pub(crate) span_start: DateTimeUtc,
        pub(crate) span_end: DateTimeUtc,
        #[sea_orm(column_type = "Text")]
        pub(crate) path: String,
        pub(crate) sha256: String,
        pub(crate) rows: i64,
        pub(crate) features: i64,
        pub(crate) series: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Training sets that were built, by specification and moment.
pub(crate) mod training_set {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "training_set")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) use_case: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) spec_hash: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) known_at: DateTimeUtc,
        pub(crate) view: String,
        pub(crate) run_id: Uuid,
        #[sea_orm(column_type = "Text")]
        pub(crate) path: String,
        pub(crate) sha256: String,
        pub(crate) rows: i64,
        pub(crate) series: i64,
        pub(crate) span_start: DateTimeUtc,
        pub(crate) span_end: DateTimeUtc,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) regressors: Json,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The newest value of each feature of each series.
pub(crate) mod online_value {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "online_value")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) use_case: String,
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub(crate) series_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) feature: String,
        #[sea_orm(column_type = "Double")]
        pub(crate) value: f64,
        pub(crate) event_time: DateTimeUtc,
        pub(crate) known_at: DateTimeUtc,
        pub(crate) run_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
