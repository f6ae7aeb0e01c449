//! The kill switch.

use foretide_db::DbError;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use crate::error::BrokerError;
use crate::model::KillSwitch;
use crate::storage::entities::kill_switch::{ActiveModel, Column, Entity};

/// The only row.
const ROW: i32 = 1;

pub(crate) async fn ensure(connection: &impl ConnectionTrait) -> Result<(), DbError> {
    let released = KillSwitch {
        engaged: false,
        changed_by: String::new(),
        changed_at: None,
        reason: String::new(),
    };
    Entity::insert(row(&released))
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

pub(crate) async fn get(connection: &impl ConnectionTrait) -> Result<KillSwitch, BrokerError> {
    let row = Entity::find_by_id(ROW)
        .one(connection)
        .await?
        .ok_or_else(|| DbError::corrupt("kill_switch", "id", ROW, "the row is missing"))?;
    Ok(KillSwitch {
        engaged: row.engaged,
        changed_by: row.changed_by,
        changed_at: row.changed_at,
        reason: row.reason,
    })
}

pub(crate) async fn set(
    connection: &impl ConnectionTrait,
    kill_switch: &KillSwitch,
) -> Result<(), BrokerError> {
    Entity::update(row(kill_switch)).exec(connection).await?;
    Ok(())
}

fn row(kill_switch: &KillSwitch) -> ActiveModel {
    ActiveModel {
        id: Set(ROW),
        engaged: Set(kill_switch.engaged),
        changed_by: Set(kill_switch.changed_by.clone()),
        changed_at: Set(kill_switch.changed_at),
        reason: Set(kill_switch.reason.clone()),
    }
}
