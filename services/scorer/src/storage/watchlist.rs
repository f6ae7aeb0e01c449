//! Changes of watchlist items by month.

use chrono::{Datelike, NaiveDate};
use foretide_db::DbError;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::Store;
use super::entities::watchlist_change::{ActiveModel, Column, Entity};

impl Store {
    /// Changes noted in the month of this day.
    pub(crate) async fn watchlist_changes(&self, day: NaiveDate) -> Result<u32, DbError> {
        let first = day.with_day(1).unwrap_or(day);
        let next = first
            .checked_add_months(chrono::Months::new(1))
            .unwrap_or(NaiveDate::MAX);
        let counts: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Changes)
            .filter(Column::Day.gte(first))
            .filter(Column::Day.lt(next))
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let sum = counts.into_iter().fold(0_i64, i64::saturating_add);
        Ok(u32::try_from(sum).unwrap_or(u32::MAX))
    }

    /// Notes changes before they are made.
    pub(crate) async fn note_watchlist_changes(
        &self,
        day: NaiveDate,
        watchlist: &str,
        changes: u32,
    ) -> Result<(), DbError> {
        let row = ActiveModel {
            day: Set(day),
            watchlist: Set(watchlist.to_owned()),
            changes: Set(i64::from(changes)),
            ..Default::default()
        };
        Entity::insert(row)
            .exec_without_returning(self.database.connection())
            .await?;
        Ok(())
    }
}
