//! Where the tables are.

use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

use crate::DbError;

/// Where a deployment keeps its tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:<folder>` or `postgres://user:password@host/database`. It may hold a password and
    /// is therefore never shown.
    pub url: SecretString,
}

/// A URL that has been understood.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// A folder with one file a service.
    SqliteFolder(PathBuf),
    /// A server with one schema a service.
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseConfig {
    /// A configuration for the URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
        }
    }

    /// Checks the URL without connecting.
    ///
    /// # Errors
    /// [`DbError::BadUrl`] says what is allowed. It never repeats what was given, which may hold a
    /// password.
    pub fn validate(&self) -> Result<(), DbError> {
        self.location().map(|_| ())
    }

    pub(crate) fn location(&self) -> Result<Location, DbError> {
        let url = self.url.expose_secret();
        if let Some(path) = url.strip_prefix("sqlite:") {
            return sqlite_folder(path);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return postgres(url);
        }
        let problem = match url.split_once(':') {
            _ if url.is_empty() => "it is empty",
            None => "it has no scheme",
            Some(_) => "its scheme is neither sqlite nor postgres",
        };
        Err(DbError::BadUrl {
            problem: problem.to_owned(),
        })
    }
}

fn sqlite_folder(path: &str) -> Result<Location, DbError> {
    let bad = |problem: &str| {
        Err(DbError::BadUrl {
            problem: problem.to_owned(),
        })
    };
    let folder = path.strip_prefix("//").unwrap_or(path);
    if folder.is_empty() {
        return bad("no folder stands after sqlite:");
    }
    if folder.starts_with(":memory:") || folder.contains(['?', '\0']) {
        return bad("after sqlite: only a folder is taken, no :memory: and no parameters");
    }
    Ok(Location::SqliteFolder(PathBuf::from(folder)))
}

fn postgres(url: &str) -> Result<Location, DbError> {
    match PgConnectOptions::from_str(url) {
        Ok(options) if options.get_database().is_none_or(str::is_empty) => Err(DbError::BadUrl {
            problem: "it names no database (the part after the last slash)".to_owned(),
        }),
        Ok(options) => Ok(Location::Postgres(Box::new(options))),
        // The driver's message is dropped on purpose: it may quote the URL.
        Err(_) => Err(DbError::BadUrl {
            problem: "it cannot be read as a PostgreSQL URL; percent-encode special characters in \
                      user and password"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_servers_are_understood() {
        for url in ["sqlite:data", "sqlite:///var/lib/foretide", "sqlite:./a b"] {
            assert!(
                matches!(
                    DatabaseConfig::new(url).location(),
                    Ok(Location::SqliteFolder(_))
                ),
                "{url}"
            );
        }
        for url in [
            "postgres://u:p@h/d",
            "postgresql://u@h:5433/d?sslmode=require",
        ] {
            assert!(
                matches!(
                    DatabaseConfig::new(url).location(),
                    Ok(Location::Postgres(_))
                ),
                "{url}"
            );
        }
    }

    #[test]
    fn unusable_urls_are_refused_with_what_is_allowed_and_without_the_secret() {
        let hostile = [
            "",
            "hunter2",
            "mysql://root:hunter2@db/x",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:data?mode=hunter2",
            "postgres://u:hunter2@h:notaport/d",
            "postgres://u:hunter2@h",
        ];
        for url in hostile {
            let error = DatabaseConfig::new(url).validate().expect_err(url);
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains("sqlite:<folder>") && shown.contains("postgres://"),
                "{shown}"
            );
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let refused = serde_json::from_str::<DatabaseConfig>(r#"{"url":"sqlite:x","pool":3}"#);
        assert!(
            refused
                .expect_err("pool is no key")
                .to_string()
                .contains("pool")
        );
    }

    #[test]
    fn debug_output_hides_the_url() {
        let shown = format!("{:?}", DatabaseConfig::new("postgres://u:hunter2@h/d"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
