//! Tables, one module each.

pub(super) mod model_version {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "model_version")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) name: String,
        pub(crate) version: i32,
        pub(crate) run_id: Uuid,
        pub(crate) trained_at: DateTimeUtc,
        pub(crate) known_at: DateTimeUtc,
        pub(crate) spec_hash: String,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) training_set: Json,
        pub(crate) artefact_path: String,
        pub(crate) artefact_sha256: String,
        pub(crate) onnx_max_relative_error: f64,
        pub(crate) history_hours: i32,
        pub(crate) horizon_hours: i32,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) series: Json,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod alias_change {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alias_change")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) sequence: i64,
        pub(crate) name: String,
        pub(crate) alias: String,
        pub(crate) version: i32,
        pub(crate) since: DateTimeUtc,
        pub(crate) run_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
