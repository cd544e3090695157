//! Which of several replicas writes: the holder of a Lease.
//!
//! As client-go's leader election does it: a lease that was not renewed for its
//! duration, as seen by our own clock, may be taken; every write carries the version
//! that was read, so two takers cannot both succeed. Who cannot renew in time stops
//! writing before anybody else may begin. Reading and scoring need no leader.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;

/// The lease's name.
pub const NAME: &str = "gantry-planner";
/// How long a lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(10);
/// How long its holder may go on without having renewed it.
const PATIENCE: Duration = Duration::from_secs(7);
/// How often it is looked at.
const RETRY: Duration = Duration::from_secs(2);

/// Who takes part, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The namespace of the lease.
    pub namespace: String,
    /// A name that no other replica has.
    pub identity: String,
}

impl Candidate {
    /// A candidate if this runs as a pod that knows its own name: `POD_NAMESPACE` and `POD_NAME`.
    #[must_use]
    pub fn of_process() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self { namespace: variable("POD_NAMESPACE")?, identity: variable("POD_NAME")? })
    }

    /// Takes part until dropped; `leads` tells whether this replica holds the lease.
    pub async fn run(self, client: Client, leads: watch::Sender<bool>) {
        let leases = Api::namespaced(client, &self.namespace);
        let mut watched = Watched::default();
        let mut renewed: Option<Instant> = None;
        let mut ticks = tokio::time::interval(RETRY);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            match self.attempt(&leases, &mut watched, now).await {
                Ok(true) => renewed = Some(now),
                Ok(false) => renewed = None,
                Err(error) => tracing::warn!(%error, lease = NAME, "the lease cannot be read or written, trying again"),
            }
            let holds = renewed.is_some_and(|renewed| now.saturating_duration_since(renewed) < PATIENCE);
            if leads.send_replace(holds) != holds {
                tracing::info!(lease = NAME, identity = self.identity, leads = holds, "leadership changed");
            }
        }
    }

    /// One look, and one write where the lease is ours or free. Whether we hold it now.
    async fn attempt(&self, leases: &Api<Lease>, watched: &mut Watched, now: Instant) -> Result<bool, kube::Error> {
        let written = match leases.get_opt(NAME).await? {
            None => leases.create(&PostParams::default(), &self.first()).await,
            Some(lease) if self.holds(&lease) || watched.is_free(&lease, now) => {
                leases.replace(NAME, &PostParams::default(), &self.next(lease)).await
            }
            Some(_) => return Ok(false),
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, lease: &Lease) -> bool {
        holder(lease) == Some(&*self.identity)
    }

    fn first(&self) -> Lease {
        let now = MicroTime(Timestamp::now());
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(DURATION.as_secs() as i32),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// The lease as read, renewed by us.
    fn next(&self, lease: Lease) -> Lease {
        let first = self.first();
        let was_ours = self.holds(&lease);
        let (old, mut new) = (lease.spec.unwrap_or_default(), first.spec.unwrap_or_default());
        let transitions = old.lease_transitions.unwrap_or(0);
        new.lease_transitions = Some(if was_ours { transitions } else { transitions + 1 });
        if was_ours {
            new.acquire_time = old.acquire_time;
        }
        Lease { metadata: lease.metadata, spec: Some(new) }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Somebody else's lease as we last saw it change.
#[derive(Debug, Default)]
struct Watched {
    version: Option<String>,
    since: Option<Instant>,
}

impl Watched {
    /// Whether nobody holds the lease: it names no holder, or did not change for its duration while we watched.
    fn is_free(&mut self, lease: &Lease, now: Instant) -> bool {
        if holder(lease).is_none() {
            return true;
        }
        if self.version != lease.metadata.resource_version || self.since.is_none() {
            self.version.clone_from(&lease.metadata.resource_version);
            self.since = Some(now);
        }
        let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        self.since.is_some_and(|since| now.saturating_duration_since(since) > duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(identity: &str) -> Candidate {
        Candidate { namespace: "gantry-system".to_owned(), identity: identity.to_owned() }
    }

    fn versioned(mut lease: Lease, version: &str) -> Lease {
        lease.metadata.resource_version = Some(version.to_owned());
        lease
    }

    #[test]
    fn a_lease_is_free_once_it_has_not_changed_for_its_duration() {
        let (lease, start) = (versioned(candidate("a").first(), "1"), Instant::now());
        let mut watched = Watched::default();
        assert!(!watched.is_free(&lease, start));
        assert!(!watched.is_free(&lease, start + DURATION));
        let renewed = versioned(candidate("a").next(lease), "2");
        assert!(!watched.is_free(&renewed, start + DURATION * 2));
        assert!(watched.is_free(&renewed, start + DURATION * 3 + RETRY));
    }

    #[test]
    fn a_lease_without_a_holder_is_free_at_once() {
        let mut lease = candidate("a").first();
        lease.spec.as_mut().unwrap().holder_identity = Some(String::new());
        assert!(Watched::default().is_free(&lease, Instant::now()));
    }

    #[test]
    fn renewing_keeps_the_time_of_taking_and_taking_counts_a_transition() {
        let lease = candidate("a").first();
        let renewed = candidate("a").next(lease.clone()).spec.unwrap();
        assert_eq!(renewed.acquire_time, lease.spec.as_ref().unwrap().acquire_time);
        assert_eq!(renewed.lease_transitions, Some(0));
        let taken = candidate("b").next(lease).spec.unwrap();
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_transitions, Some(1));
    }
}
