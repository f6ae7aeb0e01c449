//! Hunting bookmarks: a query and its finding, kept for people.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::ArmClient;
use crate::content::{ContentBody, ContentKind};
use crate::error::ArmError;
use crate::read::{optional_text, text, texts};

/// A bookmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// Name that is shown.
    pub display_name: String,
    /// KQL behind it.
    pub query: String,
    /// The row that was found, as JSON text.
    pub query_result: Option<String>,
    /// What people should know.
    pub notes: Option<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Start of the query's span.
    pub query_start: Option<DateTime<Utc>>,
    /// End of the query's span.
    pub query_end: Option<DateTime<Utc>>,
}

impl Bookmark {
    fn body(&self) -> Value {
        let mut properties = json!({
            "displayName": self.display_name,
            "query": self.query,
            "labels": self.labels,
        });
        let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let optional = [
            ("queryResult", self.query_result.clone()),
            ("notes", self.notes.clone()),
            ("queryStartTime", self.query_start.map(written)),
            ("queryEndTime", self.query_end.map(written)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                properties[name] = value.into();
            }
        }
        json!({ "properties": properties })
    }
}

impl ArmClient {
    /// Creates a bookmark, or replaces the one with this id.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn put_bookmark(&self, id: Uuid, bookmark: &Bookmark) -> Result<(), ArmError> {
        let body = ContentBody::new(bookmark.body())?;
        self.put_content(ContentKind::Bookmark, &id.to_string(), &body)
            .await?;
        Ok(())
    }

    /// All bookmarks.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn bookmarks(&self) -> Result<Vec<Bookmark>, ArmError> {
        let found = self.list_content(ContentKind::Bookmark).await?;
        found.iter().map(read_bookmark).collect()
    }
}

fn read_bookmark(value: &Value) -> Result<Bookmark, ArmError> {
    let what = "a bookmark";
    let moment = |path| crate::read::moment(what, value, path);
    Ok(Bookmark {
        display_name: text(what, value, "/properties/displayName")?,
        query: text(what, value, "/properties/query")?,
        query_result: optional_text(value, "/properties/queryResult"),
        notes: optional_text(value, "/properties/notes"),
        labels: texts(value, "/properties/labels"),
        query_start: moment("/properties/queryStartTime")?,
        query_end: moment("/properties/queryEndTime")?,
    })
}
