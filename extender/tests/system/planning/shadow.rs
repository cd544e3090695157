//! What a profile in the mode shadow plans for: to be read.

use super::*;

const PLUGIN: &str = "{name: gantry, component: builtin:gantry}";

#[tokio::test]
async fn gated_pods_of_a_profile_in_shadow_are_released_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "{nominate: true, window: 10ms}, mode: shadow";
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &[PLUGIN], plan)]);
    trial.server.create("gated", true);
    until("the count of it", async || trial.nominations("unplanned").await == 1.0).await;
    assert_eq!(trial.server.writes(), ["release gated"]);
    assert_eq!(trial.plan().await["gatedPods"], json!("shadow"));

    trial.app.lead(false);
    trial.server.create("left", true);
    trial.server.create("open", false);
    until("a plan", async || trial.is("stands").await).await;
    assert_eq!(trial.server.writes().len(), 1, "they are the leader's to release");
}

#[tokio::test]
async fn the_plan_of_a_profile_in_shadow_can_be_read_and_counts_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = [profile("one", &[PLUGIN], "{}, mode: shadow"), profile("two", &[PLUGIN], "{}")];
    let trial = Trial::of_profiles(folder.path(), &profiles);
    for (position, scheduler) in ["one", "two"].into_iter().enumerate() {
        for number in 0..NODES {
            trial.server.create_as(&format!("{scheduler}-{number}"), false, |pod| {
                pod["spec"]["schedulerName"] = json!(scheduler);
                // Of more than half a node: no two of them fit on one.
                pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("5");
            });
        }
        let has_placed_all = async || {
            let plan = parsed(trial.extender.admin("/plan").await.1.as_bytes())[position].clone();
            let pods = plan["pods"].as_array().map_or(&[][..], Vec::as_slice);
            pods.iter().filter(|pod| pod["node"].is_string()).count() == NODES
        };
        until(scheduler, has_placed_all).await;
    }
    let snapshot = trial.app.index().snapshot(Instant::now());
    assert_eq!(["one-0", "two-0"].map(|pod| snapshot.planned_row(pod).is_some()), [false, true]);
    trial.ask("/prioritize", "one-0", "").await;
    let explanation = trial.explanation("one-0").await;
    assert_eq!(explanation["decisions"][0]["unplanned"], json!("shadow"), "{explanation:#}");
}
