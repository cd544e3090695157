//! Reading a request's body under an explicit cap.
//!
//! Promises that no client makes the process hold more bytes of bodies than their
//! budget: a body is reserved before it is read and given back when who reads it is
//! done; what is over the limit is read and dropped so that the client gets to see the
//! answer. Answers are not in the budget: one that has the whole nodes of its request in
//! it is another copy of them, and is held until the client has read it. Small bodies
//! have a budget of their own, so that large ones that arrive slowly never keep them
//! waiting. Knows nothing of what the bytes mean.

use std::ops::Deref;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bodies of the largest size that may be held at once; kube-scheduler sends one at a time.
const LARGEST_AT_ONCE: usize = 4;
/// The largest body that counts as small, in bytes: the names of 5,000 nodes are a third of it.
const SMALL: usize = 1 << 20;
/// Small bodies that may be held at once.
const SMALL_AT_ONCE: usize = 64;
/// How many times the limit is read and dropped before the connection is cut.
const DRAINED: usize = 4;

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
    #[error("the request's body did not arrive within server.deadline")]
    TooSlow,
    /// The connection broke.
    #[error("the request's body broke off: {0}")]
    Broken(#[from] axum::Error),
}

/// A body, and its place in the budget.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The budgets of bytes, in KiB.
#[derive(Debug)]
pub struct Bodies {
    limit: usize,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Bodies {
    /// Bodies of at most `limit` bytes each.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let budget = |bytes, at_once| Arc::new(Semaphore::new(kibibytes(bytes) as usize * at_once));
        Self { limit, small: budget(SMALL, SMALL_AT_ONCE), large: budget(limit, LARGEST_AT_ONCE) }
    }

    /// Reads a body whole, until then at the latest.
    ///
    /// # Panics
    /// Never: nobody closes the semaphore.
    ///
    /// # Errors
    /// Where the body is too large, too slow, or breaks off.
    pub async fn read(&self, body: Body, until: Instant) -> Result<Held, BodyError> {
        let announced = body.size_hint().upper().map_or(self.limit, |bytes| self.limit.min(bytes as usize));
        let reading = async {
            let budget = if announced <= SMALL { &self.small } else { &self.large };
            let permit = Arc::clone(budget).acquire_many_owned(kibibytes(announced)).await;
            let permit = permit.expect("invariant: the semaphore is never closed");
            Ok(Held { bytes: collect(body, announced, self.limit).await?, _permit: permit })
        };
        tokio::time::timeout_at(until, reading).await.unwrap_or(Err(BodyError::TooSlow))
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
    use std::convert::Infallible;
    use std::time::Duration;

    use futures::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// A body of an unknown length that never ends, and so counts as large.
    fn stalled() -> Body {
        Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>()))
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_whole() {
        let bodies = Bodies::new(1024);
        assert_eq!(bodies.read(Body::from(vec![7; 1024]), soon()).await.unwrap().len(), 1024);
    }

    #[tokio::test]
    async fn one_byte_more_is_refused_with_the_limit() {
        let error = Bodies::new(1024).read(Body::from(vec![7; 1025]), soon()).await.unwrap_err();
        assert!(error.to_string().contains("(1024 bytes)"), "{error}");
    }

    #[tokio::test]
    async fn the_budget_comes_back_when_who_reads_a_body_is_done() {
        let bodies = Bodies::new(2 * SMALL);
        let all = bodies.large.available_permits();
        let body = bodies.read(Body::from(vec![7; 2 * SMALL]), soon()).await.unwrap();
        assert_eq!(bodies.large.available_permits(), all / LARGEST_AT_ONCE * (LARGEST_AT_ONCE - 1));
        drop(body);
        assert_eq!(bodies.large.available_permits(), all);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_waited_for_until_the_deadline_and_no_longer() {
        let until = Instant::now() + Duration::from_millis(20);
        let error = Bodies::new(2 * SMALL).read(stalled(), until).await.unwrap_err();
        assert!(matches!(error, BodyError::TooSlow), "{error}");
        assert!(Instant::now() < until + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn small_bodies_do_not_wait_behind_large_ones_that_arrive_slowly() {
        let bodies = Bodies::new(2 * SMALL);
        let slow = (0..=LARGEST_AT_ONCE).map(|_| bodies.read(stalled(), soon()));
        let small = bodies.read(Body::from("small"), soon());
        tokio::select! {
            biased;
            _ = futures::future::join_all(slow) => panic!("what never arrives cannot be read"),
            read = small => assert_eq!(&*read.unwrap(), b"small"),
        }
    }
}
