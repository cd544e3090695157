//! Components from elsewhere: an HTTPS server, or an OCI registry.
//!
//! Promises bounded time and size, https everywhere but on this very machine, and that
//! what a registry sends is what its manifest names. Whether the bytes are those that
//! the configuration means is checked by whoever loads them. Knows no components.

mod client;
mod credentials;
mod registry;
mod signature;

use std::path::PathBuf;
use std::time::Duration;

use gantry_host::Digest;
use gantry_host::component::MAX_BYTES;
use hyper::StatusCode;

use crate::config::valid::{ComponentSource, Fetch};
use client::Client;
use credentials::Login;

/// An error of another library.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file that the configuration names cannot be used.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Source,
    },
    /// There is nobody to trust.
    #[error("no certificate authorities are found on this system; name those of the server by fetch.caFile")]
    NoAuthorities,
    /// Nobody answers there, or not over TLS that we trust.
    #[error("{address} does not answer")]
    Connect {
        /// The address.
        address: String,
        /// Why.
        source: Source,
    },
    /// It answers, and not with what was asked for.
    #[error("{address} answers {status}{hint}")]
    Status {
        /// The address.
        address: String,
        /// The status.
        status: StatusCode,
        /// What to look at.
        hint: String,
    },
    /// It answers, and does not say by what token it would let anybody in.
    #[error("{address} gives no token: its answer has neither `token` nor `access_token`")]
    Token {
        /// The address of the registry's token service.
        address: String,
    },
    /// It leads elsewhere, in a way that is not followed.
    #[error("{address} leads to {target}: {why}")]
    Redirect {
        /// The address.
        address: String,
        /// Where it leads.
        target: String,
        /// Why that is not followed.
        why: &'static str,
    },
    /// More bytes than a component may have.
    #[error("{address} sends more than the {limit} bytes that are taken")]
    TooLarge {
        /// The address.
        address: String,
        /// The bytes taken.
        limit: usize,
    },
    /// It breaks off.
    #[error("{address} breaks off")]
    CutOff {
        /// The address.
        address: String,
        /// Why.
        source: Source,
    },
    /// It takes too long.
    #[error("no component within {0:?} (fetch.timeout)")]
    Timeout(Duration),
    /// The registry's artifact is not one with a component in it.
    #[error("{image} is no artifact with one component in it: {why}")]
    Artifact {
        /// The artifact.
        image: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody signed the artifact with the key that the configuration names.
    #[error("{image} has no signature by {}; sign it with `cosign sign --key`", key.display())]
    Unsigned {
        /// The artifact.
        image: String,
        /// The public key's file.
        key: PathBuf,
    },
    /// The registry sends other bytes than it names.
    #[error("{address} sends {found}, {expected} was asked for")]
    Digest {
        /// The address.
        address: String,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The thread that fetches is gone.
    #[error("the fetching thread ended unexpectedly")]
    Ended,
}

/// Fetches a component's bytes. Blocks the calling thread, for at most the time that `how` gives.
///
/// # Errors
/// Why there are none.
pub fn fetch(source: &ComponentSource, how: &Fetch) -> Result<Vec<u8>, FetchError> {
    // A thread with a runtime of its own: whoever loads plugins may, or may not, be inside another one.
    let fetching = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| FetchError::Ended)?;
        let bytes = async { tokio::time::timeout(how.timeout, get(source, how)).await };
        let bytes = runtime.block_on(bytes).unwrap_or(Err(FetchError::Timeout(how.timeout)));
        // To drop it would wait for the look-up of a name that nobody answers.
        runtime.shutdown_background();
        bytes
    };
    std::thread::scope(|scope| scope.spawn(fetching).join().unwrap_or(Err(FetchError::Ended)))
}

async fn get(source: &ComponentSource, how: &Fetch) -> Result<Vec<u8>, FetchError> {
    let (ca_file, auth_file) = (how.ca_file.as_deref(), how.auth_file.as_deref());
    match source {
        ComponentSource::Https(address) => {
            let host = address.authority().map_or("", |authority| authority.as_str());
            let login = Login::read(auth_file, host, address.path().trim_start_matches('/'))?;
            let client = Client::new(ca_file, false, login.hint)?;
            Ok(client.get(address, "*/*", login.basic.as_deref(), MAX_BYTES).await?.ok()?.body.to_vec())
        }
        ComponentSource::Oci(image) => {
            let login = Login::read(auth_file, &image.registry, &image.repository)?;
            // A registry on this machine speaks plain HTTP unless an authority is named for it.
            let client = Client::new(ca_file, image.is_local() && ca_file.is_none(), login.hint)?;
            registry::Registry::new(client, image, login.basic).pull(how.public_key.as_deref()).await
        }
        ComponentSource::Builtin | ComponentSource::File(_) => Ok(Vec::new()),
    }
}
