//! Outgoing HTTP: TLS with ring, time-outs, retries that honour `Retry-After`, request ids.
//!
//! Every client of an outside system builds on [`client`] and sends through [`send`]; which answers
//! are worth another try is decided here once, what an answer means is decided by the client.

mod retry;

use std::sync::Once;
use std::time::Duration;

pub use retry::{RetryPolicy, retry_after, send};

/// How an HTTP client behaves.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a whole exchange, body included.
    pub timeout: Duration,
    /// PEM file of an extra certificate authority, for private endpoints and tests.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Takes no proxy that the environment names: for addresses that exist on this machine only.
    pub without_proxy: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            extra_ca_pem: None,
            without_proxy: false,
        }
    }
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The extra certificate authority is no certificate.
    #[error("the extra certificate authority is not a PEM certificate")]
    BadCertificate(#[source] reqwest::Error),
    /// Anything else.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
}

/// Why an exchange came to nothing, in words that show no address: the error itself names the URL,
/// which may hold a secret.
#[must_use]
pub fn transport_reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no reply in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// Installs ring as the process's TLS provider. Safe to call any number of times.
pub fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a TLS provider was installed before");
        }
    });
}

/// A client that never follows redirects (an API that redirects is a mistake or an attack).
///
/// # Errors
/// When the extra certificate authority is unusable.
pub fn client(options: &ClientOptions) -> Result<reqwest::Client, ClientError> {
    install_tls_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("foretide/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = &options.extra_ca_pem {
        let certificate =
            reqwest::Certificate::from_pem(pem).map_err(ClientError::BadCertificate)?;
        builder = builder.tls_certs_merge([certificate]);
    }
    if options.without_proxy {
        builder = builder.no_proxy();
    }
    builder.build().map_err(ClientError::Setup)
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError::TooLarge`] past the limit, without reading on; [`BodyError::Broken`] when the
/// connection fails.
pub async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|e| BodyError::Broken(e.without_url()))?
    {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A body that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More than was agreed.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// The connection failed while reading.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}
