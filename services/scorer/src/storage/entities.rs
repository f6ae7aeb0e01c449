//! Tables, one module each.

pub(super) mod forecast {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "forecast")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) run_id: Uuid,
        pub(crate) use_case: String,
        pub(crate) issued_at: DateTimeUtc,
        pub(crate) start: DateTimeUtc,
        pub(crate) horizon_hours: i32,
        pub(crate) model_name: String,
        pub(crate) model_version: i32,
        pub(crate) completeness: f64,
        pub(crate) validity: String,
        pub(crate) valid_until: DateTimeUtc,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) drivers: Json,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod forecast_series {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "forecast_series")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) forecast_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) series_id: String,
        pub(crate) run_id: Uuid,
        pub(crate) position: i32,
        pub(crate) model_kind: String,
        pub(crate) note: String,
        pub(crate) learning: bool,
        pub(crate) points: Vec<u8>,
        pub(crate) write_back: String,
        pub(crate) write_back_error: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod risk_window {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "risk_window")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) forecast_id: Uuid,
        pub(crate) run_id: Uuid,
        pub(crate) use_case: String,
        pub(crate) series_id: String,
        pub(crate) starts_at: DateTimeUtc,
        pub(crate) ends_at: DateTimeUtc,
        pub(crate) probability: f64,
        pub(crate) expected: f64,
        pub(crate) capacity: f64,
        pub(crate) capacity_kind: Option<String>,
        pub(crate) rule: String,
        pub(crate) acts: bool,
        #[sea_orm(column_type = "JsonBinary")]
        pub(crate) drivers: Json,
        pub(crate) issued_at: DateTimeUtc,
        pub(crate) validity: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod judged_window {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "judged_window")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) forecast_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) starts_at: DateTimeUtc,
        pub(crate) use_case: String,
        pub(crate) ends_at: DateTimeUtc,
        pub(crate) probability: f64,
        pub(crate) expected: f64,
        pub(crate) capacity: f64,
        pub(crate) capacity_kind: String,
        pub(crate) is_raised: bool,
        pub(crate) baseline_raised: Option<bool>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod surge_row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "surge_row")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) window_id: Uuid,
        pub(crate) forecast_id: Uuid,
        pub(crate) run_id: Uuid,
        pub(crate) use_case: String,
        pub(crate) issued_at: DateTimeUtc,
        pub(crate) ends_at: DateTimeUtc,
        pub(crate) row: String,
        pub(crate) state: String,
        pub(crate) retracted_at: Option<DateTimeUtc>,
        pub(crate) retracted_because: Option<String>,
        pub(crate) last_error: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod withdrawal {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "withdrawal")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) forecast_id: Uuid,
        pub(crate) use_case: String,
        pub(crate) withdrawn_at: DateTimeUtc,
        pub(crate) withdrawn_by: String,
        pub(crate) reason: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod watchlist_change {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "watchlist_change")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) sequence: i64,
        pub(crate) day: Date,
        pub(crate) watchlist: String,
        pub(crate) changes: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
