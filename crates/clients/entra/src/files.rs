//! Files that prove an identity. They are read at each refresh, because others renew them.

use std::path::Path;

use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use crate::EntraError;

/// Larger than any token or certificate chain with its key.
const LARGEST_FILE: u64 = 256 * 1024;

/// Reads a whole text file of reasonable size.
pub(crate) async fn read_secret(what: &str, path: &Path) -> Result<SecretString, EntraError> {
    let refuse = |problem: String| {
        let what = format!("{what} {}", path.display());
        EntraError::Credential { what, problem }
    };
    let unreadable = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(refuse(format!("is larger than {LARGEST_FILE} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse("is no text".to_owned()))?;
    Ok(SecretString::from(text))
}

/// Reads the token that Kubernetes projects into the pod.
pub(crate) async fn read_federated_token(path: &Path) -> Result<SecretString, EntraError> {
    use secrecy::ExposeSecret;
    let what = "the federated token file";
    let text = read_secret(what, path).await?;
    let token = text.expose_secret().trim();
    let is_token =
        token.split('.').count() == 3 && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        let problem = "holds no token; see that the pod has the label azure.workload.identity/use";
        return Err(EntraError::credential(
            format!("{what} {}", path.display()),
            problem,
        ));
    }
    Ok(SecretString::from(token))
}
