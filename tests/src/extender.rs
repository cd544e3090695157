//! The real `gantry-extender` binary as a child process, with the shipped configuration and a test's changes to it.
//!
//! Knows its documented outside only: configuration, admin endpoints, metrics, Events.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::binaries;
use crate::control_plane::ControlPlane;
use crate::http::Endpoint;
use crate::kubectl::apply_once;
use crate::metrics;
use crate::poll::until;
use crate::process::{Memory, Process, free_ports};
use crate::shipped;
use crate::workload::RESOURCES;

/// What a test sets in the configuration file.
#[derive(Debug, Clone)]
pub struct ExtenderSettings {
    /// The component: `builtin:gantry` or `file:PATH`.
    pub component: String,
    /// The resources of the objective.
    pub resources: &'static [&'static str],
    /// The plugin's own settings.
    pub settings: Value,
    /// The admin's dictionary entries.
    pub dictionary: Vec<Value>,
    /// Bound of one call of the component. Generous beside a debug build on busy cores: all of the time that a whole
    /// request has as shipped. Scenarios that want the deadline to strike set it low; a higher one stretches the
    /// request's.
    pub call_deadline: Duration,
    /// Whether it watches the API server. Else it knows the nodes that come with the requests, and no pods.
    pub watches: bool,
    /// Whether it serves `/bind`. The manifests' rights do not cover that.
    pub bind: bool,
    /// The profile's section `plan`; null: there is none.
    pub plan: Value,
    /// The section `forecasts`; null: none.
    pub forecasts: Value,
    /// Labels that stand behind the resources: `label:KEY` or `label:KEY=VALUE`.
    pub labels: Vec<String>,
    /// Where compiled plugins are kept; none: in a folder that the extenders beside one control plane share.
    pub cache: Option<PathBuf>,
    /// The section `profiles` in place of the one that the settings above make; empty: that one.
    pub profiles: Vec<Value>,
}

impl Default for ExtenderSettings {
    fn default() -> Self {
        Self {
            component: "builtin:gantry".to_owned(),
            resources: &RESOURCES,
            settings: json!({}),
            dictionary: Vec::new(),
            call_deadline: SHIPPED_DEADLINE,
            watches: true,
            bind: false,
            plan: Value::Null,
            forecasts: Value::Null,
            labels: Vec::new(),
            cache: None,
            profiles: Vec::new(),
        }
    }
}

impl ExtenderSettings {
    fn profiles(&self) -> Vec<Value> {
        if !self.profiles.is_empty() {
            return self.profiles.clone();
        }
        vec![json!({
            "schedulerName": "default-scheduler",
            "plugins": [{
                "name": "gantry",
                "component": self.component,
                "settings": self.settings,
                "limits": {"deadline": format!("{}ms", self.call_deadline.as_millis())},
            }],
            "dictionary": self.dictionary,
            "plan": self.plan,
        })]
    }

    fn to_json(&self, kubeconfig: &Path, listen: &str, admin: &str) -> Value {
        let mut config = shipped::configuration(shipped::GANTRY);
        config["server"]["listen"] = json!(listen);
        config["server"]["admin"] = json!(admin);
        config["server"]["bind"] = json!(self.bind);
        if self.call_deadline > SHIPPED_DEADLINE {
            config["server"]["deadline"] = json!(format!("{}ms", self.call_deadline.as_millis()));
        }
        if self.watches {
            config["cluster"]["kubeconfig"] = json!(kubeconfig);
        } else {
            config["cluster"]["mode"] = json!("none");
        }
        config["resources"] = self.resources.iter().map(|&name| name.to_owned()).chain(self.labels.clone()).collect();
        config["profiles"] = json!(self.profiles());
        if !self.forecasts.is_null() {
            config["forecasts"] = self.forecasts.clone();
        }
        if let Some(dir) = &self.cache {
            config["cache"] = json!({ "dir": dir });
        }
        config
    }
}

/// `server.deadline` in the manifests: half of what kube-scheduler waits for.
const SHIPPED_DEADLINE: Duration = Duration::from_millis(500);

/// Who the extender is in a cluster: the service account of the manifests, with the rights that they give it.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:gantry-system:gantry-extender";

/// The pod that it takes itself for; there is no such pod, and its Events need none.
pub const OWN_POD: &str = "gantry-extender-0";

/// A running extender; dropping it kills it.
#[derive(Debug)]
pub struct Extender {
    process: Option<Process>,
    endpoint: Endpoint,
    listen: String,
    admin: String,
    config: PathBuf,
    folder: PathBuf,
    namespace: &'static str,
    own_pod: String,
}

impl Extender {
    /// Starts the extender against the control plane and waits until it has listed the cluster. It may do there what
    /// the manifests grant, and no more.
    ///
    /// # Errors
    /// It does not build, ends, or does not get ready; the message has the end of its log.
    pub async fn start(plane: &ControlPlane, settings: &ExtenderSettings) -> Result<Self> {
        Self::replica(plane, settings, OWN_POD).await
    }

    /// The same as one of several replicas, which takes itself for the pod `own_pod`.
    ///
    /// # Errors
    /// As [`Extender::start`].
    pub async fn replica(plane: &ControlPlane, settings: &ExtenderSettings, own_pod: &str) -> Result<Self> {
        apply_once(plane, "base/rbac.yaml")?;
        if !settings.plan.is_null() {
            apply_once(plane, "base/namespace.yaml")?;
            apply_once(plane, "base/election.yaml")?;
        }
        if settings.plan["nominate"] == json!(true) {
            apply_once(plane, "components/nominate/rbac.yaml")?;
        }
        let cache = settings.cache.clone().unwrap_or_else(|| plane.folder().join("cache"));
        let settings = ExtenderSettings { cache: Some(cache), ..settings.clone() };
        Self::start_at(&plane.kubeconfig_of(SERVICE_ACCOUNT)?, plane.folder(), &settings, own_pod).await
    }

    /// Starts the extender as the pod `own_pod` against the API server of `kubeconfig`; its configuration and log lie in
    /// `folder`.
    ///
    /// # Errors
    /// As [`Extender::start`].
    pub async fn start_at(
        kubeconfig: &Path,
        folder: &Path,
        settings: &ExtenderSettings,
        own_pod: &str,
    ) -> Result<Self> {
        let [listen, admin] = free_ports()?.map(|port: u16| format!("127.0.0.1:{port}"));
        let config = folder.join(format!("{own_pod}.yaml"));
        std::fs::write(&config, settings.to_json(kubeconfig, &listen, &admin).to_string())?;
        let endpoint = Endpoint::plain(&admin)?;
        // Who plans takes part in an election in Gantry's own namespace; the others' Events are easier found here.
        let namespace = if settings.plan.is_null() { "default" } else { "gantry-system" };
        let folder = folder.to_owned();
        let own_pod = own_pod.to_owned();
        let mut extender = Self { process: None, endpoint, listen, admin, config, folder, namespace, own_pod };
        extender.restart().await?;
        Ok(extender)
    }

    /// What it holds in memory.
    ///
    /// # Errors
    /// It does not run.
    pub fn memory(&self) -> Result<Memory> {
        self.process.as_ref().context("the extender does not run")?.memory()
    }

    /// The address for kube-scheduler's `urlPrefix`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The address of the admin port.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Kills it at once (SIGKILL), as a failing node would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process, to be paused.
    ///
    /// # Panics
    /// It was killed: a mistake in a test.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("invariant: the test has not killed it")
    }

    /// Starts it again on the same addresses with the same configuration, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Extender::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let arguments = ["serve".as_ref(), "--config".as_ref(), self.config.as_os_str()];
        let own_pod = [("POD_NAME", &*self.own_pod), ("POD_NAMESPACE", self.namespace), ("POD_IP", "127.0.0.1")];
        let mut process = Process::start(&self.own_pod, binaries::extender()?, arguments, &own_pod, &self.folder)?;
        process.serves(&self.endpoint, "/readyz").await?;
        self.process = Some(process);
        Ok(())
    }

    /// What it answers when kube-scheduler asks `verb` (`filter`, `prioritize`) about `pod` and these nodes.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ask(&self, verb: &str, pod: &Pod, nodes: &[&str]) -> Result<Value> {
        let args = json!({"Pod": pod, "Nodes": null, "NodeNames": nodes});
        Endpoint::plain(&self.listen)?.post(&format!("/{verb}"), &args).await
    }

    /// Whether it says that it can answer.
    pub async fn is_ready(&self) -> bool {
        self.endpoint.get("/readyz").await.is_ok()
    }

    /// Writes another configuration in the file's place, whole, as a mount that is swapped does. It is not restarted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn rewrite(&self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let mut config = serde_json::from_slice(&std::fs::read(&self.config)?)?;
        edit(&mut config);
        let new = self.config.with_extension("new");
        std::fs::write(&new, config.to_string())?;
        Ok(std::fs::rename(new, &self.config)?)
    }

    /// What it says of its configuration: the page `/profiles`.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn profiles(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.endpoint.get("/profiles").await?)?)
    }

    /// The metrics page.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        self.endpoint.get("/metrics").await
    }

    /// How often a neutral answer took the place of the component's, for whatever reason; since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn fallbacks(&self) -> Result<f64> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_plugin_fallback_total", &[]))
    }

    /// The same for one reason.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn fallbacks_for(&self, reason: &str) -> Result<f64> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_plugin_fallback_total", &[("reason", reason)]))
    }

    /// How many requests of `verb` it has answered since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn requests(&self, verb: &str) -> Result<f64> {
        let text = self.metrics().await?;
        Ok(metrics::sum_of(&text, "gantry_extender_request_duration_seconds_count", &[("verb", verb)]))
    }

    /// A page of its admin port.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn page(&self, path: &str) -> Result<String> {
        self.endpoint.get(path).await
    }

    /// How many planned pods went where `outcome` says (planned, elsewhere, gone), since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn landings(&self, outcome: &str) -> Result<f64> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_plan_landings_total", &[("outcome", outcome)]))
    }

    /// What became of nominations, since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn nominations(&self, outcome: &str) -> Result<f64> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_nominations_total", &[("outcome", outcome)]))
    }

    /// Whether it is the replica that nominates.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn leads(&self) -> Result<bool> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_planner_leads", &[]) > 0.0)
    }

    /// How many searches for a plan ended so (ok, or why there is none), since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn searches(&self, outcome: &str) -> Result<f64> {
        let name = "gantry_plan_search_duration_seconds_count";
        Ok(metrics::sum_of(&self.metrics().await?, name, &[("outcome", outcome)]))
    }

    /// How many lists and watches failed for `reason`, since its start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn watch_failures(&self, reason: &str) -> Result<f64> {
        Ok(metrics::sum_of(&self.metrics().await?, "gantry_watch_failures_total", &[("reason", reason)]))
    }

    /// Waits until standing plans have `pods` pods that wait, with or without room for them. A plan stands for a while
    /// after the last of its pods is gone.
    ///
    /// # Errors
    /// There is none within a bound.
    pub async fn wait_for_plan(&self, pods: usize) -> Result<()> {
        until("a plan of all pods", Duration::from_mins(1), || async {
            let plans: Value = serde_json::from_str(&self.page("/plan").await?)?;
            let standing = plans.as_array().into_iter().flatten().filter(|plan| plan["stands"] == json!(true));
            let planned = standing.filter_map(|plan| plan["pods"].as_array()).flatten();
            let waiting = planned.filter(|pod| pod["state"] == json!("waiting")).count();
            Ok((waiting == pods).then_some(()))
        })
        .await
    }

    /// The end of its log.
    #[must_use]
    pub fn log_end(&self, lines: usize) -> String {
        self.process.as_ref().map(|process| process.log_end(lines)).unwrap_or_default()
    }
}

/// Waits for an Event on a pod that says that the component's answer was replaced, and why: `reason`.
///
/// # Errors
/// There is none within a bound.
pub async fn fallback_event(plane: &ControlPlane, reason: &str) -> Result<Event> {
    let events = Api::<Event>::default_namespaced(plane.client());
    let on_pods = ListParams::default().fields("reason=GantryFallback,involvedObject.kind=Pod");
    let says = |event: &Event| event.message.as_deref().is_some_and(|message| message.contains(reason));
    until(&format!("an Event GantryFallback ({reason}) on a pod"), Duration::from_secs(30), || async {
        Ok(events.list(&on_pods).await?.items.into_iter().find(says))
    })
    .await
}
