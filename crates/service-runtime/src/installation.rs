//! A database that was emptied or exchanged is not mistaken for a new one.
//!
//! What a service decided (an engaged kill switch, approvals, phases) stands in its database alone. The
//! lake remembers for each database which installation it belongs to, and outlives it: a database that
//! does not know the same is refused.

use foretide_db::{Database, DbError};
use foretide_lake::{Lake, LakeError};
use uuid::Uuid;

/// Where the lake remembers databases.
const PLACE: &str = "installation";

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// Another database, or an empty one, stands where the known one was.
    #[error(
        "the database of {service} is not the one this installation has used: the lake {lake} \
         knows it as {expected}, it is {found}; restore it from a backup, or, to begin anew without \
         what it held (approvals, kill switch, phases), remove {place} from the lake"
    )]
    OtherDatabase {
        /// Whose database.
        service: String,
        /// Which lake.
        lake: String,
        /// The id the lake remembers.
        expected: String,
        /// What the database says.
        found: String,
        /// The lake's object that remembers.
        place: String,
    },
    /// The database cannot be asked.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The lake cannot be asked.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// Checks that a service's database is the one the lake remembers, and lets the two know each other when
/// both are new, or the database is older than this check.
///
/// # Errors
/// [`InstallationError::OtherDatabase`], or when one of the two cannot be asked.
pub async fn recognise(database: &Database, lake: &Lake) -> Result<(), InstallationError> {
    let place = format!("{PLACE}/{}", database.service());
    let other = |expected: String, found: Option<String>| InstallationError::OtherDatabase {
        service: database.service().to_owned(),
        lake: lake.location().to_owned(),
        expected,
        found: found.unwrap_or_else(|| "empty".to_owned()),
        place: place.clone(),
    };
    // The lake is asked first: a replica that starts beside this one writes to the database first.
    let remembered = remembered(lake, &place).await?;
    let known = database.installation().await?;
    match remembered {
        Some(expected) if known.as_deref() == Some(&expected) => Ok(()),
        Some(expected) => Err(other(expected, known)),
        None => {
            let id = Uuid::now_v7().to_string();
            let joined = database.join_installation(&id).await?;
            match lake.put_immutable(&place, joined.clone().into()).await {
                Ok(_) => Ok(()),
                Err(LakeError::Conflict { .. }) => {
                    let expected = self::remembered(lake, &place).await?.unwrap_or_default();
                    Err(other(expected, Some(joined)))
                }
                Err(error) => Err(error.into()),
            }
        }
    }
}

async fn remembered(lake: &Lake, place: &str) -> Result<Option<String>, LakeError> {
    match lake.get(place, None).await {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(LakeError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
