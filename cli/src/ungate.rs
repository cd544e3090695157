//! `ungate`: the dead man's switch. Takes the gate `gantry.dev/plan` from pods that have waited too long for a plan.
//!
//! Gates are set when a pod is created and at no other time, so a pod's age is its gate's. A pod that another gate holds
//! as well does not wait for Gantry: without ours it would never be planned, though Gantry is well. When that other gate
//! went nobody writes down (what is taken away leaves no entry in managedFields), but the pod's generation tells that
//! something did: such a pod has as much time once more. Promises to touch that gate alone, to change a pod only as it was
//! read (its resourceVersion goes along), and to go on after a failure. It must depend on nothing of Gantry that runs: it
//! is for the day when nothing of it does.

use std::io::Write;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::api::{self, ClusterArgs};
use crate::{CliError, error::chain};

/// The gate that holds a pod until its plan is complete.
pub(crate) const GATE: &str = "gantry.dev/plan";

/// How often a pod is read again when somebody changed it meanwhile.
const ATTEMPTS: usize = 3;

/// The longest time that a pod has once more whose other gate may have gone a moment ago. Gantry is done long before.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Flags of `ungate`.
#[derive(Clone, Debug, clap::Args)]
pub struct UngateArgs {
    /// Where the cluster is.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Only pods that wait for this long or longer: a number with s, m or h. 0s: all, whatever the clocks say. Pods that
    /// were changed since they were created, by a gate that went late perhaps, have this time once more, a minute at most.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub older_than: Duration,
    /// Only pods of this namespace.
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Also pods that another gate holds as well: for the day when Gantry is removed for good.
    #[arg(long)]
    pub with_other_gates: bool,
    /// Say what would be released, and release nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the command.
pub(crate) fn run(args: &UngateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    api::block_on(ungate(args, out))
}

async fn ungate(args: &UngateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let client = args.cluster.connect().await?;
    let pods: Api<Pod> = match &args.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    // A gated pod is neither bound nor anything but pending; the server need not send the others.
    let waiting = ListParams::default().fields("spec.nodeName=,status.phase=Pending");
    let (now, mut tally, mut left, mut in_doubt) = (Timestamp::now(), Tally::default(), 0, Vec::new());
    for pod in api::list_all(&pods, waiting, "the list of pending pods").await? {
        if age(&pod, now) < args.older_than {
            continue;
        }
        match Hold::of(&pod) {
            Hold::Not => {}
            Hold::WithOthers if !args.with_other_gates => left += 1,
            Hold::Alone if args.pauses() && was_changed(&pod) => in_doubt.push(pod),
            Hold::Alone | Hold::WithOthers => tally.release(&client, pod, args.dry_run, out).await?,
        }
    }
    if !in_doubt.is_empty() {
        let pause = args.older_than.min(LONGEST_PAUSE);
        let (count, seconds) = (in_doubt.len(), pause.as_secs());
        writeln!(out, "{count} were changed since they were created, maybe when a gate went late: {seconds} s more")?;
        tokio::time::sleep(pause).await;
        for pod in in_doubt {
            tally.release(&client, pod, args.dry_run, out).await?;
        }
    }
    if left > 0 {
        writeln!(out, "left {left} that another gate holds as well; --with-other-gates releases them too")?;
    }
    let Tally { released, failed } = tally;
    writeln!(out, "{released} released, {failed} failed")?;
    if failed > 0 {
        return Err(CliError::Failed(format!("{failed} pods keep the gate {GATE}; the output says why")));
    }
    Ok(())
}

impl UngateArgs {
    /// Whether pods in doubt are given more time: not where all are to go, or none.
    fn pauses(&self) -> bool {
        self.older_than > Duration::ZERO && !self.with_other_gates && !self.dry_run
    }
}

/// What became of the pods.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    released: usize,
    failed: usize,
}

impl Tally {
    /// Releases a pod and says so.
    async fn release(&mut self, client: &Client, pod: Pod, dry_run: bool, out: &mut dyn Write) -> Result<(), CliError> {
        let name = format!("pod/{} -n {}", pod.name_any(), pod.namespace().unwrap_or_default());
        let waited = age(&pod, Timestamp::now()).as_secs();
        match release(client, pod, dry_run).await {
            Ok(true) => {
                self.released += 1;
                let verb = if dry_run { "would release" } else { "released" };
                writeln!(out, "{verb} {name} after {waited} s")?;
            }
            Ok(false) => writeln!(out, "{name} is gone, or was released by somebody else")?,
            Err(error) => {
                self.failed += 1;
                writeln!(out, "failed {name}: {}", chain(&error))?;
            }
        }
        Ok(())
    }
}

/// Whether our gate holds a pod back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The pod has no gate of ours.
    Not,
    /// It waits for nothing else.
    Alone,
    /// Somebody else's gate holds it back as well.
    WithOthers,
}

impl Hold {
    fn of(pod: &Pod) -> Self {
        let gates = pod.spec.iter().filter_map(|spec| spec.scheduling_gates.as_ref()).flatten();
        let (ours, others): (Vec<_>, Vec<_>) = gates.partition(|gate| gate.name == GATE);
        match (ours.is_empty(), others.is_empty()) {
            (true, _) => Self::Not,
            (false, true) => Self::Alone,
            (false, false) => Self::WithOthers,
        }
    }
}

/// A pod that was created in the future, by a clock that is ahead of ours, has the age 0.
fn age(pod: &Pod, now: Timestamp) -> Duration {
    let created = pod.metadata.creation_timestamp.as_ref().map_or(now, |created| created.0);
    Duration::try_from(now.duration_since(created)).unwrap_or_default()
}

/// Whether anybody has changed what the pod says since it was created: its gates, or what else may be changed. An API
/// server before 1.34 counts no generations of pods, and nothing is known.
fn was_changed(pod: &Pod) -> bool {
    pod.metadata.generation.is_some_and(|generation| generation > 1)
}

/// Takes the gate away. False: it is not there any more. A pod that was changed meanwhile is read again; another one of
/// its name is not meant.
async fn release(client: &Client, mut pod: Pod, dry_run: bool) -> Result<bool, kube::Error> {
    if dry_run {
        return Ok(true);
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let (name, uid) = (pod.name_any(), pod.uid());
    for attempt in 1..=ATTEMPTS {
        if Hold::of(&pod) == Hold::Not {
            return Ok(false);
        }
        let patch = Patch::Strategic(json!({
            "metadata": {"resourceVersion": pod.resource_version()},
            "spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]},
        }));
        match pods.patch(&name, &PatchParams::default(), &patch).await {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(false),
            Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
        match pods.get_opt(&name).await? {
            Some(read) if read.uid() == uid => pod = read,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let remedy = || format!("`{text}` is no duration: write a whole number with s, m or h, such as 60s");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(remedy)?;
    let number: u64 = number.parse().map_err(|_| remedy())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(remedy()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_its_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        for wrong in ["", "s", "60", "1.5m", "-1s", "6é", "99999999999999999999s", "9999999999999999999h"] {
            assert!(duration(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_pod_from_the_future_is_as_old_as_one_of_now() {
        let created = "2026-11-22T08:00:00Z";
        let pod: Pod = serde_json::from_value(json!({"metadata": {"creationTimestamp": created}})).unwrap();
        let at = |text: &str| age(&pod, text.parse().unwrap());
        assert_eq!(at("2026-11-22T08:01:01Z"), Duration::from_secs(61));
        assert_eq!(at("2026-11-22T07:59:00Z"), Duration::ZERO);
    }

    #[test]
    fn a_pod_that_nobody_has_touched_is_not_in_doubt() {
        for (generation, is_in_doubt) in [(json!(null), false), (json!(1), false), (json!(2), true)] {
            let pod: Pod = serde_json::from_value(json!({"metadata": {"generation": generation}})).unwrap();
            assert_eq!(was_changed(&pod), is_in_doubt);
        }
    }
}
