//! The ledger's tables. What each is for stands in the migration.

/// How far an object has been read.
pub(crate) mod source_object {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "source_object")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub table_name: String,
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub path: String,
        pub size: i64,
        #[sea_orm(column_type = "Text")]
        pub etag: String,
        pub consumed: i64,
        pub seen: i64,
        pub lines: i64,
        #[sea_orm(column_type = "Text")]
        pub head: String,
        pub read_as_of: DateTimeUtc,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Watermark and totals of a table.
pub(crate) mod table_state {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "table_state")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub table_name: String,
        pub event_time: Option<DateTimeUtc>,
        pub known_at: DateTimeUtc,
        pub rows_total: i64,
        pub rows_duplicate: i64,
        pub rows_quarantined: i64,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A file of events that counts.
pub(crate) mod event_file {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "event_file")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub path: String,
        pub stream: String,
        pub day: Date,
        pub known_at: DateTimeUtc,
        pub rows: i64,
        pub sha256: String,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// When a repeated thing was seen first.
pub(crate) mod first_seen {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "first_seen")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub stream: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_key: String,
        pub event_time: DateTimeUtc,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A refused row or object.
pub(crate) mod quarantined_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "quarantined_row")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub table_name: String,
        #[sea_orm(column_type = "Text")]
        pub object: String,
        pub line: i64,
        pub reason: String,
        #[sea_orm(column_type = "Text")]
        pub sample: String,
        pub known_at: DateTimeUtc,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Until when what was ingested has been looked at.
pub(crate) mod query_watermark {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "query_watermark")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        pub ingested_until: DateTimeUtc,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A day that has to be asked for.
pub(crate) mod pending_day {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pending_day")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub measure: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: Date,
        pub planned_as_of: DateTimeUtc,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One query and what it has cost.
pub(crate) mod query_cost {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "query_cost")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub asked_at: DateTimeUtc,
        pub table_name: String,
        pub statement: String,
        pub span_start: DateTimeUtc,
        pub span_end: DateTimeUtc,
        pub outcome: String,
        pub plan: String,
        pub rows_answered: i64,
        pub bytes_answered: i64,
        pub bytes_scanned: i64,
        pub is_estimated: bool,
        pub execution_ms: Option<i64>,
        pub price: f64,
        pub currency: String,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of a table that came in within a class of lag.
pub(crate) mod arrival_lag {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "arrival_lag")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub table_name: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub up_to_minutes: i32,
        pub weight: f64,
        pub run_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A backfill.
pub(crate) mod backfill {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "backfill")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        pub state: String,
        pub span_start: DateTimeUtc,
        pub span_end: DateTimeUtc,
        pub source: String,
        pub quoted_at: DateTimeUtc,
        pub quoted_seconds: f64,
        pub is_measured: bool,
        pub currency: String,
        #[sea_orm(column_type = "Text")]
        pub beyond_budget: String,
        #[sea_orm(column_type = "Text")]
        pub remarks: String,
        pub accepted_gigabytes: Option<f64>,
        pub turn: i32,
        pub started_at: Option<DateTimeUtc>,
        pub finished_at: Option<DateTimeUtc>,
        #[sea_orm(column_type = "Text")]
        pub note: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A part of a backfill.
pub(crate) mod backfill_part {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "backfill_part")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i32,
        pub table_name: String,
        pub span_start: DateTimeUtc,
        pub span_end: DateTimeUtc,
        pub source: String,
        #[sea_orm(column_type = "Text")]
        pub object: String,
        pub queries: i64,
        pub expected_rows: Option<i64>,
        pub expected_bytes: Option<i64>,
        pub expected_price: f64,
        pub state: String,
        pub attempts: i32,
        pub rows_read: i64,
        pub rows_duplicate: i64,
        pub rows_quarantined: i64,
        pub bytes: i64,
        pub elapsed_ms: i64,
        #[sea_orm(column_type = "Text")]
        pub error: String,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
