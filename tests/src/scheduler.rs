//! A kube-scheduler of the release, with the configuration that a test asks for.
//!
//! Only its documented configuration is used, and of that what the manifests ship: what works here works for an admin.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::binaries;
use crate::control_plane::ControlPlane;
use crate::http::Endpoint;
use crate::metrics;
use crate::poll::until;
use crate::process::{Process, free_ports};
use crate::shipped;

/// How kube-scheduler is configured; the default is the stock profile without extenders.
#[derive(Debug, Clone, Default)]
pub struct SchedulerSettings {
    /// What `NodeResourcesFit` and `NodeResourcesBalancedAllocation` score in place of cpu and memory; empty: the stock
    /// configuration.
    pub scored_resources: &'static [&'static str],
    /// 0 lets kube-scheduler choose by the number of nodes.
    pub percentage_of_nodes_to_score: u32,
    /// The profiles' `schedulerName`s; empty: `default-scheduler` alone.
    pub scheduler_names: Vec<String>,
    /// Extenders beside the profiles.
    pub extenders: Vec<ExtenderStanza>,
}

/// What differs from the entry of `extenders:` in the manifests.
#[derive(Debug, Clone)]
pub struct ExtenderStanza {
    /// Base address, without a verb.
    pub url: String,
    /// Node names, as shipped, instead of whole nodes.
    pub node_cache_capable: bool,
    /// Whether it binds the pods, in kube-scheduler's place; not as shipped.
    pub binds: bool,
    /// Resources that kube-scheduler leaves to it and counts none of itself; not as shipped.
    pub left_to_it: &'static [&'static str],
    /// The resource without which a pod is not its business; not as shipped, where all pods are.
    pub only_for: Option<&'static str>,
}

impl ExtenderStanza {
    /// The shipped stanza for the extender at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), node_cache_capable: true, binds: false, left_to_it: &[], only_for: None }
    }

    /// The stanza as shipped, but for what differs.
    fn over(&self, shipped: &Value) -> Value {
        let mut stanza = shipped.clone();
        stanza["urlPrefix"] = json!(self.url);
        if !self.node_cache_capable {
            stanza["nodeCacheCapable"] = json!(false);
        }
        if self.binds {
            stanza["bindVerb"] = json!("bind");
        }
        let managed = |name: &&str, is_ignored: bool| json!({"name": name, "ignoredByScheduler": is_ignored});
        let ignored = self.left_to_it.iter().map(|name| managed(name, true));
        let managed: Vec<Value> = ignored.chain(self.only_for.iter().map(|name| managed(name, false))).collect();
        if !managed.is_empty() {
            stanza["managedResources"] = json!(managed);
        }
        stanza
    }
}

impl SchedulerSettings {
    /// The stock profile with one extender, as shipped: all nodes are scored.
    ///
    /// # Panics
    /// The manifests do not say how many.
    #[must_use]
    pub fn with_extender(stanza: ExtenderStanza) -> Self {
        let percentage = shipped::configuration(shipped::DEFAULT_SCHEDULER)["percentageOfNodesToScore"].as_u64();
        let percentage_of_nodes_to_score = percentage.expect("invariant: the manifests name the percentage") as u32;
        Self { extenders: vec![stanza], percentage_of_nodes_to_score, ..Self::default() }
    }

    /// The best that kube-scheduler reaches alone: its own resource plugins told of all resources that count (K4).
    #[must_use]
    pub fn k4(resources: &'static [&'static str]) -> Self {
        Self { scored_resources: resources, ..Self::default() }
    }

    /// The `KubeSchedulerConfiguration` of the manifests for the API server of `kubeconfig`, with these settings.
    fn to_json(&self, kubeconfig: &Path) -> Value {
        let mut config = shipped::configuration(shipped::DEFAULT_SCHEDULER);
        // The default of 50 a second would hide what a decision costs.
        config["clientConnection"] = json!({"kubeconfig": kubeconfig, "qps": 5000, "burst": 5000});
        // One that is killed leaves its lease behind, and the next one would wait for 15 s.
        config["leaderElection"] = json!({"leaderElect": false});
        config["percentageOfNodesToScore"] = json!(self.percentage_of_nodes_to_score);
        config["profiles"] = json!([{"schedulerName": "default-scheduler"}]);
        if !self.scheduler_names.is_empty() {
            let profile = |name: &String| json!({"schedulerName": name});
            config["profiles"] = self.scheduler_names.iter().map(profile).collect();
        }
        if !self.scored_resources.is_empty() {
            config["profiles"][0]["pluginConfig"] = scoring(self.scored_resources);
        }
        let shipped = &config["extenders"][0];
        config["extenders"] = self.extenders.iter().map(|stanza| stanza.over(shipped)).collect();
        config
    }
}

fn scoring(resources: &[&str]) -> Value {
    let resources: Vec<Value> = resources.iter().map(|name| json!({"name": name, "weight": 1})).collect();
    json!([
        {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "LeastAllocated", "resources": resources}}},
        {"name": "NodeResourcesBalancedAllocation", "args": {"resources": resources}},
    ])
}

/// A running kube-scheduler; dropping it stops it.
#[derive(Debug)]
pub struct Scheduler {
    process: Process,
    endpoint: Endpoint,
}

/// What kube-scheduler says of its own speed.
#[derive(Debug, Clone, Copy)]
pub struct SchedulingTime {
    /// Decisions taken.
    pub count: f64,
    /// Mean time of one decision (filter and score, the serial step).
    pub mean: Duration,
    /// 99th percentile of the same, interpolated in its histogram.
    pub p99: Duration,
}

impl Scheduler {
    /// Starts kube-scheduler and waits until its caches are filled.
    ///
    /// # Errors
    /// It ends, or does not get ready; the message has the end of its log.
    pub async fn start(plane: &ControlPlane, settings: &SchedulerSettings) -> Result<Self> {
        let kubeconfig = plane.kubeconfig_of("system:kube-scheduler")?;
        Self::configured(plane, &kubeconfig, &settings.to_json(&kubeconfig)).await
    }

    /// The same with a whole configuration, for who is named in `kubeconfig`.
    ///
    /// # Errors
    /// As [`Scheduler::start`].
    pub async fn configured(plane: &ControlPlane, kubeconfig: &Path, configuration: &Value) -> Result<Self> {
        let [port] = free_ports()?;
        let config = plane.folder().join("kube-scheduler.json");
        std::fs::write(&config, configuration.to_string())?;
        let serving = plane.serving_certificate("kube-scheduler")?;
        let arguments = [
            format!("--config={}", config.display()),
            format!("--authentication-kubeconfig={}", kubeconfig.display()),
            format!("--authorization-kubeconfig={}", kubeconfig.display()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", serving.certificate.display()),
            format!("--tls-private-key-file={}", serving.key.display()),
            "--authorization-always-allow-paths=/healthz,/livez,/readyz,/metrics".to_owned(),
        ];
        let program = binaries::control_plane()?.join("kube-scheduler");
        let process = Process::start("kube-scheduler", &program, arguments, &[], plane.folder())?;
        let mut scheduler = Self { process, endpoint: plane.endpoint("kube-scheduler", port).await? };
        scheduler.wait_until_ready().await?;
        Ok(scheduler)
    }

    /// The metrics page.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        self.endpoint.get("/metrics").await
    }

    /// How long its decisions took since it started.
    ///
    /// # Errors
    /// It does not answer, or has taken no decision yet.
    pub async fn scheduling_time(&self) -> Result<SchedulingTime> {
        const NAME: &str = "scheduler_scheduling_algorithm_duration_seconds";
        let text = self.metrics().await?;
        let count = metrics::sum_of(&text, &format!("{NAME}_count"), &[]);
        let sum = metrics::sum_of(&text, &format!("{NAME}_sum"), &[]);
        let p99 = metrics::quantile_of(&text, NAME, &[], 0.99);
        anyhow::ensure!(count > 0.0, "kube-scheduler has taken no decision yet");
        Ok(SchedulingTime {
            count,
            mean: Duration::from_secs_f64(sum / count),
            p99: Duration::from_secs_f64(p99.unwrap_or_default()),
        })
    }

    /// Waits until kube-scheduler's own cache holds exactly `count` nodes; it says so once a second.
    ///
    /// # Errors
    /// It never does.
    pub async fn wait_for_nodes(&self, count: usize) -> Result<()> {
        until("kube-scheduler to know the nodes", Duration::from_mins(1), || async {
            let known = metrics::sum_of(&self.metrics().await?, "scheduler_cache_size", &[("type", "nodes")]);
            Ok((known == count as f64).then_some(()))
        })
        .await
    }

    /// Fails when kube-scheduler has ended by itself (a null in a preemption answer makes it panic).
    ///
    /// # Errors
    /// It is not running any more.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (process, endpoint) = (&mut self.process, &self.endpoint);
        until("kube-scheduler to be ready", Duration::from_mins(1), || {
            let checked = process.check();
            async move {
                match checked {
                    Err(ended) => Ok(Some(Err(ended))),
                    Ok(()) => endpoint.get("/readyz").await.map(|_| Some(Ok(()))),
                }
            }
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_configuration_names_neither_plugins_nor_extenders() {
        let config = SchedulerSettings::default().to_json(Path::new("k"));
        assert_eq!(config["profiles"], json!([{"schedulerName": "default-scheduler"}]));
        assert_eq!((&config["extenders"], &config["percentageOfNodesToScore"]), (&json!([]), &json!(0)));
    }

    #[test]
    fn an_extender_is_asked_as_the_manifests_say() {
        let config = SchedulerSettings::with_extender(ExtenderStanza::new("http://x")).to_json(Path::new("k"));
        let mut as_shipped = shipped::configuration(shipped::DEFAULT_SCHEDULER);
        as_shipped["extenders"][0]["urlPrefix"] = json!("http://x");
        for key in ["extenders", "percentageOfNodesToScore"] {
            assert_eq!(config[key], as_shipped[key], "{key}");
        }
        assert_eq!(config["extenders"][0]["preemptVerb"], json!("preempt"));
    }
}
