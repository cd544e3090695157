//! What the planner of another replica says: read from its admin endpoints, as long as it answers.
//!
//! ```text
//!  lease ─► role: follows 10.0.0.7:8889 ─► GET /plan/feed, held back until it changes ─► Leader ─► each Planner
//! ```
//!
//! Promises that nobody waits for a leader: one that is silent for [`SILENCE`] has nothing to say any more, and its
//! followers plan for themselves until it speaks again. Must not know what a plan is good for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::feed::Feed;
use crate::config::valid::ForecastSource;
use crate::forecasts::fetch::{FetchError, Fetched, fetch};
use crate::lease::Role;
use crate::profile::chain;

/// Where a replica serves its plans.
pub const PATH: &str = "/plan/feed";
/// How long an answer is held back for a change.
pub const WAIT: Duration = Duration::from_secs(1);
/// How long a leader may say nothing and is still followed.
const SILENCE: Duration = Duration::from_secs(3);
/// How long to wait after a leader that did not answer.
const RETRY: Duration = Duration::from_millis(250);

/// What was read last, and when the leader last said that it stands.
#[derive(Clone, Debug)]
struct Heard {
    at: Instant,
    tag: Arc<str>,
    feed: Arc<Feed>,
}

/// What the leader says, for those who follow it.
#[derive(Clone, Debug)]
pub struct Leader {
    heard: watch::Receiver<Option<Heard>>,
}

impl Leader {
    /// What it plans for the profile of `scheduler`, and a name of that which changes with it; `None`: there is no leader
    /// but us, it is silent, or it does not plan for that profile.
    pub(super) fn orders(&self, scheduler: &str, now: Instant) -> Option<(Arc<str>, Arc<Feed>)> {
        let heard = self.heard.borrow();
        let heard = heard.as_ref().filter(|heard| now.saturating_duration_since(heard.at) < SILENCE)?;
        heard.feed.plans_for(scheduler).then(|| (Arc::clone(&heard.tag), Arc::clone(&heard.feed)))
    }
}

/// Reads the leader's plans while there is one to follow.
#[derive(Debug)]
pub struct Follower {
    role: watch::Receiver<Role>,
    heard: watch::Sender<Option<Heard>>,
}

impl Follower {
    /// A follower, and where to read what it hears.
    #[must_use]
    pub fn new(role: watch::Receiver<Role>) -> (Self, Leader) {
        let (heard, receiver) = watch::channel(None);
        (Self { role, heard }, Leader { heard: receiver })
    }

    /// Reads until it is aborted.
    pub async fn run(self) {
        let mut roles = self.role.clone();
        loop {
            let role = *roles.borrow_and_update();
            // A tag of one leader means nothing to another.
            self.heard.send_replace(None);
            tokio::select! {
                () = self.listen(role) => {}
                changed = roles.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Reads from one leader, for ever; from none nothing.
    async fn listen(&self, role: Role) {
        let Role::Follows(address) = role else { return std::future::pending().await };
        let mut told = None;
        loop {
            match self.read(address).await {
                Ok(()) => told = None,
                Err(error) => {
                    let error = chain(&error);
                    if told.as_ref() != Some(&error) {
                        tracing::warn!(leader = %address, error, "the leader's plans cannot be read");
                    }
                    told = Some(error);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn read(&self, address: SocketAddr) -> Result<(), FetchError> {
        let tag = self.heard.borrow().as_ref().map(|heard| Arc::clone(&heard.tag));
        let fetched = fetch(&ForecastSource::Tcp(address), PATH, tag.as_deref()).await?;
        let at = Instant::now();
        match fetched {
            Fetched::Unchanged => self.heard.send_modify(|heard| {
                if let Some(heard) = heard {
                    heard.at = at;
                }
            }),
            Fetched::Changed { body, etag } => {
                let feed = serde_json::from_slice(&body).map_err(|error| FetchError::Body(error.to_string()))?;
                self.heard.send_replace(Some(Heard { at, tag: etag.unwrap_or_default().into(), feed: Arc::new(feed) }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(heard: Option<Heard>) -> Leader {
        Leader { heard: watch::channel(heard).1 }
    }

    #[test]
    fn a_leader_that_is_silent_has_no_orders() {
        let now = Instant::now();
        let feed: Feed = serde_json::from_str(
            r#"{"profiles": [{"schedulerName": "ours", "state": "nothing-waits", "plan": null}]}"#,
        )
        .unwrap();
        let leader = leader(Some(Heard { at: now, tag: "1".into(), feed: Arc::new(feed) }));
        assert!(leader.orders("ours", now + SILENCE / 2).is_some());
        assert!(leader.orders("ours", now + SILENCE).is_none());
        assert!(leader.orders("another", now).is_none(), "it does not plan for everybody");
    }

    #[test]
    fn nobody_who_was_heard_has_no_orders() {
        assert!(leader(None).orders("ours", Instant::now()).is_none());
    }
}
