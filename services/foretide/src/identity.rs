//! Local people and tokens of the embedded set-up.

use std::path::Path;

use anyhow::Context;
use foretide_config::{ExposeSecret, SecretString};
use foretide_domain::Role;
use foretide_service_runtime::{IdentityConfig, Person};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const FILE: &str = "tokens.json";

/// Tokens that the embedded set-up made for itself.
#[derive(Debug, Serialize, Deserialize)]
struct LocalTokens {
    operator: String,
    approver: String,
    service: String,
}

/// Completes an identity configuration for the embedded set-up: without people, two local ones are
/// made (`operator` proposes and starts runs, `approver` approves), and their tokens are kept in the
/// data folder, readable only by the user.
pub(crate) fn complete(
    identity: &IdentityConfig,
    data_dir: &Path,
) -> anyhow::Result<IdentityConfig> {
    if !identity.people.is_empty() && identity.service_token.is_some() {
        return Ok(identity.clone());
    }
    let tokens = read_or_make(data_dir)?;
    let mut identity = identity.clone();
    if identity.people.is_empty() {
        let person = |name: &str, roles: &[Role], token: &str| Person {
            name: name.to_owned(),
            roles: roles.to_vec(),
            token: SecretString::from(token),
        };
        identity.people = vec![
            person(
                "operator",
                &[Role::Viewer, Role::Operator],
                &tokens.operator,
            ),
            person(
                "approver",
                &[Role::Viewer, Role::Operator, Role::Approver],
                &tokens.approver,
            ),
        ];
    }
    identity
        .service_token
        .get_or_insert_with(|| SecretString::from(tokens.service));
    Ok(identity)
}

/// The token of a local person, from the configuration or the data folder.
pub(crate) fn token_of(
    identity: &IdentityConfig,
    data_dir: &Path,
    person: &str,
) -> anyhow::Result<SecretString> {
    let identity = complete(identity, data_dir)?;
    let names: Vec<_> = identity
        .people
        .iter()
        .map(|person| person.name.clone())
        .collect();
    let found = identity
        .people
        .into_iter()
        .find(|known| known.name == person);
    found.map(|known| known.token).with_context(|| {
        format!(
            "nobody is called {person:?} here: use one of {}",
            names.join(", ")
        )
    })
}

fn read_or_make(data_dir: &Path) -> anyhow::Result<LocalTokens> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not a token file; remove it to have new tokens made",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let tokens = LocalTokens {
                operator: fresh("operator"),
                approver: fresh("approver"),
                service: fresh("service"),
            };
            write_private(&path, &serde_json::to_vec_pretty(&tokens)?)?;
            Ok(tokens)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn fresh(name: &str) -> String {
    format!(
        "{name}-{}{}",
        Uuid::new_v4().simple(),
        Uuid::new_v4().simple()
    )
}

fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Prints how to get in, once, at the start of the embedded set-up.
pub(crate) fn announce(identity: &IdentityConfig, console: &str) {
    eprintln!("console  {console}");
    for person in &identity.people {
        eprintln!(
            "token    {:<10} {}",
            person.name,
            person.token.expose_secret()
        );
    }
}
