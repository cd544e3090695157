//! The soak: nodes and pods come, go and change at random for as long as `GANTRY_SOAK` says, then everything is counted.
//!
//! kube-scheduler asks Gantry about every pod, Gantry plans all that wait, and nominates those that carry its gate. At
//! the end the churn stops, the cluster settles, and a fresh list is the judge: no pod waits that fits anywhere, every
//! node holds what it can, Gantry's view is the list, it expects nothing more, it has failed at nothing, and it has not
//! grown.

mod census;
mod churn;
mod follow;
mod kubelets;
mod record;
mod shapes;
mod view;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::{ControlPlane, Extender, Scheduler, report};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use census::Census;
use churn::Churn;
use record::{Memory, mebibytes};

/// Between two changes: some of them are of several pods, so that about six pods come and go in a second.
const STEP: Duration = Duration::from_millis(300);
/// kube-scheduler tries a pod again after ten seconds at the latest once something has changed for it.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);
/// The median of the last quarter of the run over that of the second, at most. Two minutes take it to 1.005, mostly by
/// decision records, which fill 2 MB of 67 and no more; what goes beyond 3 MB is kept by somebody.
const MEMORY_GROWTH: f64 = 1.05;
/// What happens in every soak of a minute or more, whatever the seed: else it would prove nothing.
const ALWAYS: [&str; 6] =
    ["pods deleted", "pods finished", "pods resized in place", "nodes created", "nodes deleted", "nodes cordoned"];
/// Lines of progress in a run.
const LINES: u32 = 10;

/// How long, and from which seed.
struct Settings {
    length: Duration,
    seed: u64,
}

impl Settings {
    /// `GANTRY_SOAK` (a number with `s`, `m` or `h`; default 2m) and `GANTRY_SOAK_SEED` (default 1).
    fn from_environment() -> Result<Self> {
        let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let (length, seed) = (variable("GANTRY_SOAK", "2m"), variable("GANTRY_SOAK_SEED", "1"));
        let length = duration(&length).with_context(|| format!("GANTRY_SOAK: {length} is no length of time"))?;
        let seed = seed.parse().with_context(|| format!("GANTRY_SOAK_SEED: {seed} is no number"))?;
        Ok(Self { length, seed })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// Lets the cluster change for the whole length, and watches the extender's memory.
async fn churn_on(settings: &Settings, churn: &mut Churn, extender: &Extender) -> Result<Memory> {
    let (start, mut memory, mut lines) = (Instant::now(), Memory::default(), 1);
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while start.elapsed() < settings.length {
        steps.tick().await;
        churn.step().await?;
        let (elapsed, resident) = (start.elapsed(), extender.memory()?.resident);
        memory.note(elapsed, resident);
        if elapsed >= settings.length * lines / LINES {
            lines += 1;
            let census = churn.census();
            let (nodes, bound, waiting) = (census.nodes.len(), census.bound().count(), census.waiting().count());
            let resident = mebibytes(resident);
            report::line(&format!(
                "{:5} s: {nodes} nodes, {bound} pods bound, {waiting} waiting, {resident} MiB resident",
                elapsed.as_secs()
            ));
        }
    }
    Ok(memory)
}

/// Waits until nothing is wrong with the followed objects, then with a fresh list and with Gantry's view of it.
async fn settle(plane: &ControlPlane, churn: &mut Churn, extender: &Extender) -> Result<()> {
    let start = Instant::now();
    churn.calm().await?;
    let complain = |found: Vec<String>| {
        ensure!(found.is_empty(), "{} complaints:\n{}", found.len(), found.join("\n"));
        Ok(())
    };
    until("the cluster to settle", SETTLE_LIMIT, || async {
        complain(churn.census().complaints())?;
        let listed = Census::listed(&plane.client()).await?;
        complain(listed.complaints())?;
        complain(view::complaints(extender, &listed).await?)?;
        Ok(Some(()))
    })
    .await?;
    report::line(&format!("settled after {}", report::short(start.elapsed())));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_time_of_change_nothing_waits_that_fits_and_nothing_has_leaked() {
    let settings = Settings::from_environment().unwrap();
    let plane = ControlPlane::start().await.unwrap();
    let plan = json!({"mode": "follow", "nominate": true});
    // A busy machine may keep a call waiting; what is told of the soak is told of Gantry, not of its neighbours.
    let call_deadline = Duration::from_millis(900);
    let extender_settings = ExtenderSettings { plan, call_deadline, ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &extender_settings).await.unwrap();
    let stanza = ExtenderStanza::new(extender.url());
    let mut scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();

    let mut churn = Churn::begin(plane.client(), settings.seed).await.unwrap();
    let memory = churn_on(&settings, &mut churn, &extender).await.unwrap().medians(settings.length);
    let settled = settle(&plane, &mut churn, &extender).await;

    let (gantry, kube) = (extender.metrics().await.unwrap(), scheduler.metrics().await.unwrap());
    let title = format!("Soak of {:?} from seed {}", settings.length, settings.seed);
    record::show(&title, &churn.done, memory, &gantry, &kube);
    settled.unwrap();
    scheduler.check().unwrap();
    let missing: Vec<&str> = ALWAYS.into_iter().filter(|what| !churn.done.contains_key(what)).collect();
    assert_eq!(missing, [""; 0]);
    assert!(extender.nominations("kept").await.unwrap() > 0.0 && extender.requests("prioritize").await.unwrap() > 0.0);
    let [_, second, _, last] = memory;
    assert!(last as f64 <= MEMORY_GROWTH * second as f64, "resident memory by quarter: {memory:?}");
}

#[test]
fn lengths_of_time_have_a_unit() {
    assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
    assert_eq!(duration("30m"), Some(Duration::from_mins(30)));
    assert_eq!(duration("1h"), Some(Duration::from_hours(1)));
    assert_eq!([duration(""), duration("30"), duration("m"), duration("1d"), duration("µ")], [None; 5]);
}
