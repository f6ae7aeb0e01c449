//! Calling services that run: in this process, in another one here, or in a cluster.

use anyhow::{Context, bail};
use foretide_config::SecretString;
use foretide_service_runtime::Peers;

use crate::cli::CallerArgs;
use crate::config::Config;
use crate::{identity, process, state::State};

/// Clients that call as the person on the command line.
///
/// The services are found by `peers` of the configuration or, embedded, by the note that `up`
/// leaves in its data folder.
pub(crate) fn open(
    config: &Config,
    caller: &CallerArgs,
    default_person: &str,
) -> anyhow::Result<Peers> {
    let Some(peers) = try_open(config, caller, default_person)? else {
        bail!(
            "no running Foretide found in {}: start it with `foretide up`, or name a configuration \
             with `peers`",
            config.data_dir.display()
        );
    };
    Ok(peers)
}

/// As [`open`]; nothing when no Foretide runs.
pub(crate) fn try_open(
    config: &Config,
    caller: &CallerArgs,
    default_person: &str,
) -> anyhow::Result<Option<Peers>> {
    let urls = match (&config.peers, State::read(&config.data_dir)?) {
        (Some(urls), _) => urls.clone(),
        (None, Some(state)) if is_running(state.pid) => state.peers,
        (None, _) => return Ok(None),
    };
    let token = token(config, caller, default_person)?;
    process::peers(&urls, &token).map(Some)
}

/// The token to call with.
pub(crate) fn token(
    config: &Config,
    caller: &CallerArgs,
    default_person: &str,
) -> anyhow::Result<SecretString> {
    if let Some(token) = &caller.token {
        return Ok(SecretString::from(token.clone()));
    }
    let person = caller.person.as_deref().unwrap_or(default_person);
    identity::token_of(&config.identity, &config.data_dir, person)
        .context("say who calls: give --token, set FORETIDE_TOKEN, or use --as NAME")
}

fn is_running(pid: u32) -> bool {
    std::path::Path::new("/proc").join(pid.to_string()).exists()
        || !std::path::Path::new("/proc").exists()
}

/// A refusal by a service as a plain sentence.
pub(crate) fn plainly(status: &tonic::Status) -> anyhow::Error {
    let what = match status.code() {
        tonic::Code::Unavailable => "the service cannot be reached",
        tonic::Code::Unauthenticated => "not let in",
        tonic::Code::PermissionDenied => "not allowed",
        tonic::Code::NotFound => "not found",
        tonic::Code::InvalidArgument => "not understood",
        tonic::Code::FailedPrecondition => "refused",
        _ => "failed",
    };
    anyhow::anyhow!("{what}: {}", status.message())
}
