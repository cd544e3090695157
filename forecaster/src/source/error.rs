//! Why a query had no good answer.
//!
//! Promises: a reason from a closed set for metrics; secrets are in no message. Must not know: what happens next.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a query had no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nobody answers at the address, or the handshake failed.
    #[error("no connection to Prometheus")]
    Connect(#[source] Source),
    /// The answer took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The answer ended before it was complete.
    #[error("the answer was cut off")]
    CutOff(#[source] Source),
    /// The server says that it cannot answer now.
    #[error("Prometheus answered {status}: {message}")]
    Unavailable {
        /// A status of 500 or above.
        status: StatusCode,
        /// What it says, shortened.
        message: String,
    },
    /// The server wants to know who asks, or does not let them.
    #[error("Prometheus answered {status}; check prometheus.bearerTokenFile, prometheus.basic and prometheus.tenant")]
    Unauthorized {
        /// 401 or 403.
        status: StatusCode,
    },
    /// The server does not understand the query, or there is no Prometheus at the address.
    #[error("Prometheus refused the query with {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it says, shortened.
        message: String,
    },
    /// The answer is larger than the limit.
    #[error("the answer is larger than {limit} bytes; raise prometheus.responseLimit, or aggregate in the query")]
    TooLarge {
        /// `prometheus.responseLimit`.
        limit: usize,
    },
    /// The answer is not what Prometheus' API describes.
    #[error("the answer is none of Prometheus' API")]
    Malformed(#[source] Source),
    /// A file with a secret or a certificate cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Source,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] Source),
}

impl SourceError {
    /// A name from a closed set, for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout(_) => "timeout",
            Self::CutOff(_) => "cut_off",
            Self::Unavailable { .. } => "unavailable",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Refused { .. } => "refused",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed(_) => "malformed",
            Self::File { .. } => "file",
            Self::Tls(_) => "tls",
        }
    }

    /// Whether the same question may have an answer a moment later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Timeout(_) | Self::CutOff(_) | Self::Unavailable { .. })
    }
}

/// How a query ended, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With series.
    Ok,
    /// Without any: the metric does not exist, or not any more.
    Empty,
    /// With an error of this reason.
    Failed(&'static str),
}

impl Outcome {
    /// A name from a closed set.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Empty => "empty",
            Self::Failed(reason) => reason,
        }
    }
}
