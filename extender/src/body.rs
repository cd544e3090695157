//! Reading a request's body under an explicit cap.
//!
//! Promises that no client makes the process hold more than its budget of bytes: a
//! body is reserved before it is read, what is over the limit is read and dropped so
//! that the client gets to see the answer. Knows nothing of what the bytes mean.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bodies of the largest size that may be held at once; kube-scheduler sends one at a time.
const LARGEST_AT_ONCE: usize = 4;
/// How many times the limit is read and dropped before the connection is cut.
const DRAINED: usize = 4;
/// A body that takes longer than kube-scheduler's default `httpTimeout` has nobody waiting for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than allowed.
    #[error("the request's body is larger than server.bodyLimit ({limit} bytes)")]
    TooLarge {
        /// The largest body taken, in bytes.
        limit: usize,
    },
    /// Did not arrive in time.
    #[error("the request's body did not arrive within {PATIENCE:?}")]
    TooSlow,
    /// The connection broke.
    #[error("the request's body broke off: {0}")]
    Broken(#[from] axum::Error),
}

/// The budget of bytes.
#[derive(Debug)]
pub struct Bodies {
    limit: usize,
    kibibytes: Semaphore,
}

impl Bodies {
    /// Bodies of at most `limit` bytes each.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, kibibytes: Semaphore::new(kibibytes(limit) as usize * LARGEST_AT_ONCE) }
    }

    /// Reads a body whole. The permit gives its bytes back to the budget when it is dropped.
    ///
    /// # Panics
    /// Never: nobody closes the semaphore.
    ///
    /// # Errors
    /// Where the body is too large, too slow, or breaks off.
    pub async fn read(&self, body: Body) -> Result<(Bytes, SemaphorePermit<'_>), BodyError> {
        let announced = body.size_hint().upper().map_or(self.limit, |bytes| self.limit.min(bytes as usize));
        let reading = async {
            let permit = self.kibibytes.acquire_many(kibibytes(announced)).await;
            let permit = permit.expect("invariant: the semaphore is never closed");
            Ok((collect(body, announced, self.limit).await?, permit))
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or(Err(BodyError::TooSlow))
    }
}

fn kibibytes(bytes: usize) -> u32 {
    bytes.div_ceil(1024) as u32
}

async fn collect(mut body: Body, announced: usize, limit: usize) -> Result<Bytes, BodyError> {
    let mut buffer = BytesMut::with_capacity(announced);
    let mut read = 0;
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(data) = frame.into_data() else { continue };
        read += data.len();
        if read <= limit {
            buffer.extend_from_slice(&data);
        } else if read > limit * DRAINED {
            break;
        }
    }
    if read > limit { Err(BodyError::TooLarge { limit }) } else { Ok(buffer.freeze()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_whole() {
        let bodies = Bodies::new(1024);
        let (bytes, _permit) = bodies.read(Body::from(vec![7; 1024])).await.unwrap();
        assert_eq!(bytes.len(), 1024);
    }

    #[tokio::test]
    async fn one_byte_more_is_refused_with_the_limit() {
        let error = Bodies::new(1024).read(Body::from(vec![7; 1025])).await.unwrap_err();
        assert!(error.to_string().contains("(1024 bytes)"), "{error}");
    }

    #[tokio::test]
    async fn the_budget_comes_back() {
        let bodies = Bodies::new(1024);
        for _ in 0..3 * LARGEST_AT_ONCE {
            drop(bodies.read(Body::from(vec![7; 1024])).await.unwrap());
        }
        assert_eq!(bodies.kibibytes.available_permits(), LARGEST_AT_ONCE);
    }
}
