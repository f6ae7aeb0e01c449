//! Watchlists and their items.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Address, ArmClient};
use crate::content::{ContentBody, ContentKind};
use crate::error::ArmError;
use crate::read::{text, unreadable};

/// The fields of an item, by column. Watchlists know texts only.
pub type ItemFields = BTreeMap<String, String>;

/// A watchlist, without its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchlist {
    /// Name that is shown.
    pub display_name: String,
    /// What it holds.
    pub description: String,
    /// Column by which items are found.
    pub search_key: String,
}

/// An item as Sentinel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchlistItem {
    /// Its id.
    pub name: String,
    /// Its fields.
    pub fields: ItemFields,
}

impl Watchlist {
    fn body(&self) -> Value {
        json!({ "properties": {
            "displayName": self.display_name,
            "description": self.description,
            "provider": "Foretide",
            "source": "foretide.csv",
            "sourceType": "Local",
            "itemsSearchKey": self.search_key,
        }})
    }
}

impl ArmClient {
    /// Creates a watchlist, or changes the words around it. Items stay as they are.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn put_watchlist(&self, alias: &str, list: &Watchlist) -> Result<(), ArmError> {
        let body = ContentBody::new(list.body())?;
        self.put_content(ContentKind::Watchlist, alias, &body)
            .await?;
        Ok(())
    }

    /// The items of a watchlist.
    ///
    /// # Errors
    /// [`ArmError::NotFound`] when there is no such watchlist.
    pub async fn watchlist_items(&self, alias: &str) -> Result<Vec<WatchlistItem>, ArmError> {
        let address = self.items_address(alias, None);
        self.list(&address).await?.iter().map(read_item).collect()
    }

    /// Creates an item, or replaces the one with this id.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn put_watchlist_item(
        &self,
        alias: &str,
        id: Uuid,
        fields: &ItemFields,
    ) -> Result<(), ArmError> {
        let address = self.items_address(alias, Some(&id.to_string()));
        let body = json!({ "properties": { "itemsKeyValue": fields } });
        self.put(&address, &ContentBody::new(body)?).await?;
        Ok(())
    }

    /// Deletes an item; false when there was none.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn delete_watchlist_item(&self, alias: &str, name: &str) -> Result<bool, ArmError> {
        self.delete(&self.items_address(alias, Some(name))).await
    }

    fn items_address(&self, alias: &str, item: Option<&str>) -> Address {
        let mut segments = vec!["watchlists", alias, "watchlistItems"];
        segments.extend(item);
        let mut address = self.sentinel_address(&segments, format!("the watchlist {alias}"));
        address.role = "Microsoft Sentinel Contributor";
        address
    }
}

fn read_item(value: &Value) -> Result<WatchlistItem, ArmError> {
    let what = "a watchlist item";
    let Some(Value::Object(fields)) = value.pointer("/properties/itemsKeyValue") else {
        return Err(unreadable(what, "itemsKeyValue must be an object"));
    };
    let fields = fields.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        (name.clone(), value)
    });
    Ok(WatchlistItem {
        name: text(what, value, "/name")?,
        fields: fields.collect(),
    })
}
