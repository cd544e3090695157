//! Which of several replicas plans and writes: the holder of a Lease, which says there where its plans are read.
//!
//! As client-go's leader election does it: a lease that was not renewed for its
//! duration, as seen by our own clock, may be taken; every write carries the version
//! that was read, so two takers cannot both succeed. Who cannot renew in time stops
//! writing before anybody else may begin, also when the API server does not answer at
//! all. The times that are written into it are for people: clocks may jump. Reading and
//! scoring need no leader, and where none is known every replica plans for itself.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// The lease's name.
pub const NAME: &str = "gantry-planner";
/// The annotation of the lease with the address of its holder's admin endpoints, `http://10.0.0.7:8889`.
const ADDRESS: &str = "gantry.dev/planner";
/// How long a lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(10);
/// How long its holder may go on without having renewed it.
const PATIENCE: Duration = Duration::from_secs(7);
/// How often it is looked at.
const RETRY: Duration = Duration::from_secs(2);
/// How long giving it back may hold the end of the process up.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a replica is among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nobody is known to lead, or nobody whose plans can be read.
    Alone,
    /// It plans for all, and writes.
    Leads,
    /// Another one plans; its admin endpoints are there.
    Follows(SocketAddr),
}

/// Who takes part, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The namespace of the lease.
    pub namespace: String,
    /// A name that no other replica has.
    pub identity: String,
    /// Where other replicas reach its admin endpoints, if they can.
    pub address: Option<SocketAddr>,
}

impl Candidate {
    /// A candidate if this runs as a pod that knows its own name: `POD_NAMESPACE` and `POD_NAME`. `POD_IP` and the port of
    /// the admin endpoints are where its plans are read.
    #[must_use]
    pub fn of_process(admin_port: u16) -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let ip: Option<IpAddr> = variable("POD_IP").and_then(|ip| ip.parse().ok());
        let address = ip.map(|ip| SocketAddr::new(ip, admin_port));
        Some(Self { namespace: variable("POD_NAMESPACE")?, identity: variable("POD_NAME")?, address })
    }

    /// Takes part until dropped; `role` tells what that makes of this replica. While it does not see the cluster
    /// (`sees`), it does not lead: what it would plan rests on what was, and the others would follow it.
    pub async fn run(self, client: Client, role: watch::Sender<Role>, sees: impl Fn() -> bool) {
        let leases = Api::namespaced(client, &self.namespace);
        let mut watched = Watched::default();
        let mut renewed: Option<Instant> = None;
        let mut seen = Role::Alone;
        let mut told = None;
        let mut ticks = tokio::time::interval(RETRY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (start, sees) = (Instant::now(), sees());
            if !sees {
                // Before the lease is given away, not after: whoever takes it may be quicker than the answer to us.
                (renewed, seen) = (None, Role::Alone);
                role.send_if_modified(|role| {
                    *role == Role::Leads && {
                        *role = Role::Alone;
                        true
                    }
                });
            }
            // An API server that hangs must not keep anybody in the belief that he leads.
            let patience = PATIENCE
                .saturating_sub(renewed.map_or(Duration::ZERO, |renewed| start.saturating_duration_since(renewed)));
            let attempt = tokio::time::timeout(patience, self.attempt(&leases, &mut watched, start, sees)).await;
            let why = match &attempt {
                Ok(Ok(Role::Leads)) => "renewed",
                Ok(Ok(_)) => "held by another",
                Ok(Err(_)) | Err(_) => "not renewed",
            };
            match attempt {
                Ok(Ok(Role::Leads)) => (renewed, told) = (Some(start), None),
                Ok(Ok(other)) => (seen, renewed, told) = (other, None, None),
                Ok(Err(error)) => warn_once(&mut told, error.to_string()),
                Err(_elapsed) => warn_once(&mut told, format!("no answer within {patience:?}")),
            }
            renewed = renewed.filter(|renewed| renewed.elapsed() < PATIENCE);
            let holds = renewed.is_some();
            let present = if holds { Role::Leads } else { seen };
            if role.send_if_modified(|role| std::mem::replace(role, present) != present) {
                tracing::info!(lease = NAME, identity = self.identity, role = ?present, why, "leadership changed");
            }
            if holds {
                // Whoever leads after us is not known yet.
                seen = Role::Alone;
            }
        }
    }

    /// Gives the lease back if it is ours, so that who leads next need not wait until it ends. Nothing may be written
    /// for it any more.
    pub async fn give_back(&self, client: Client) {
        let leases = Api::namespaced(client, &self.namespace);
        match tokio::time::timeout(GOODBYE, self.vacate_if_ours(&leases)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, lease = NAME, "the lease is not given back, it ends by itself");
            }
            Err(_elapsed) => tracing::warn!(lease = NAME, "the lease is not given back: no answer within {GOODBYE:?}"),
        }
    }

    async fn vacate_if_ours(&self, leases: &Api<Lease>) -> Result<(), kube::Error> {
        match leases.get_opt(NAME).await? {
            Some(lease) if self.holds(&lease) => {
                leases.replace(NAME, &PostParams::default(), &vacant(lease)).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// One look, and one write where the lease is ours or free. Who does not see takes none and gives his own back.
    async fn attempt(
        &self,
        leases: &Api<Lease>,
        watched: &mut Watched,
        now: Instant,
        sees: bool,
    ) -> Result<Role, kube::Error> {
        let post = PostParams::default();
        let written = match leases.get_opt(NAME).await? {
            None if sees => leases.create(&post, &self.first()).await,
            Some(lease) if sees && (self.holds(&lease) || watched.is_free(&lease, now)) => {
                leases.replace(NAME, &post, &self.next(lease)).await
            }
            Some(lease) if self.holds(&lease) => {
                return leases.replace(NAME, &post, &vacant(lease)).await.map(|_| Role::Alone);
            }
            None => return Ok(Role::Alone),
            Some(lease) => return Ok(address(&lease).map_or(Role::Alone, Role::Follows)),
        };
        match written {
            Ok(_) => Ok(Role::Leads),
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Role::Alone),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, lease: &Lease) -> bool {
        holder(lease) == Some(&*self.identity)
    }

    fn first(&self) -> Lease {
        let now = MicroTime(Timestamp::now());
        let address = self.address.map(|address| (ADDRESS.to_owned(), format!("http://{address}")));
        let annotations = Some(address.into_iter().collect());
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), annotations, ..ObjectMeta::default() };
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
        let mut annotations = lease.metadata.annotations.unwrap_or_default();
        annotations.remove(ADDRESS);
        annotations.extend(first.metadata.annotations.unwrap_or_default());
        Lease { metadata: ObjectMeta { annotations: Some(annotations), ..lease.metadata }, spec: Some(new) }
    }
}

/// The lease without a holder: whoever comes next may take it at once.
fn vacant(mut lease: Lease) -> Lease {
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = None;
    }
    lease.metadata.annotations.get_or_insert_default().remove(ADDRESS);
    lease
}

/// A trouble is told when it begins, not every time it is met.
fn warn_once(told: &mut Option<String>, error: String) {
    if told.as_ref() != Some(&error) {
        tracing::warn!(error, lease = NAME, "the lease cannot be read or written, trying again");
    }
    *told = Some(error);
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Where the holder's admin endpoints are, if it says so.
fn address(lease: &Lease) -> Option<SocketAddr> {
    lease.metadata.annotations.as_ref()?.get(ADDRESS)?.strip_prefix("http://")?.parse().ok()
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
        Candidate { namespace: "gantry-system".to_owned(), identity: identity.to_owned(), address: None }
    }

    fn reachable(identity: &str, address: &str) -> Candidate {
        Candidate { address: Some(address.parse().unwrap()), ..candidate(identity) }
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
    fn a_lease_that_was_given_back_is_free_at_once_and_names_nobody() {
        let given_back = vacant(reachable("a", "10.0.0.7:8889").first());
        assert!(Watched::default().is_free(&given_back, Instant::now()));
        assert_eq!((holder(&given_back), address(&given_back)), (None, None));
    }

    #[test]
    fn a_lease_says_where_its_holder_is_reached() {
        let lease = reachable("a", "10.0.0.7:8889").first();
        assert_eq!(address(&lease), Some("10.0.0.7:8889".parse().unwrap()));
        let taken = reachable("b", "[fd00::8]:8889").next(lease);
        assert_eq!(address(&taken), Some("[fd00::8]:8889".parse().unwrap()));
        let mut odd = candidate("c").next(taken);
        assert_eq!(address(&odd), None, "the address of the last holder is gone with it");
        odd.metadata.annotations = Some([(ADDRESS.to_owned(), "gopher://10.0.0.7".to_owned())].into());
        assert_eq!(address(&odd), None);
    }

    #[test]
    fn nobody_is_overtaken_because_a_clock_jumped() {
        let start = Instant::now();
        for renewed in ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
            let mut lease = versioned(candidate("a").first(), "1");
            lease.spec.as_mut().unwrap().renew_time = Some(MicroTime(renewed.parse().unwrap()));
            let mut watched = Watched::default();
            assert!(!watched.is_free(&lease, start) && !watched.is_free(&lease, start + DURATION), "{renewed}");
            assert!(watched.is_free(&lease, start + DURATION + RETRY), "{renewed}");
        }
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
