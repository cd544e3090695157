//! What the index keeps of a Pod, and what a pod effectively asks for.
//!
//! The effective request follows kube-scheduler's `component-helpers/resource.PodRequests`:
//!
//! ```text
//!  max( sum of containers and sidecars,
//!       max over init containers of (it + the sidecars started before it) )     KEP-753
//!  pod-level cpu, memory and hugepages replace their sums                        KEP-2837
//!  + overhead                                                                    KEP-688
//!  resized containers count as the largest of spec, allocated and actual,
//!  or, when the resize is infeasible, of allocated and actual                    KEP-1287
//! ```
//!
//! Every pod asks for one of `pods`. A missing request is 0: kube-scheduler's non-zero defaults are for its scores.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};

use crate::error::{FieldError, ObjectError};
use crate::estimates::Origin;
use crate::ports::{HostPort, host_ports};
use crate::quantity::Quantity;
use crate::resources::{Amounts, PODS, ResourceList, Resources, add, raise, read_amounts};
use crate::ties::Ties;

/// A pod that waits for a node, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRow {
    /// The pod's UID.
    pub uid: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The scheduler it asks for, which names a profile.
    pub scheduler_name: Arc<str>,
    /// Its domain class.
    pub class: u32,
    /// What it asks for, one number a resource of the snapshot.
    pub request: Box<[f64]>,
    /// Its priority, higher first; 0 where it has none.
    pub priority: i32,
    /// The node it was nominated for, by preemption or a planner.
    pub nominated_node: Option<Arc<str>>,
    /// The host's ports it takes.
    pub ports: Box<[HostPort]>,
    /// The names of the scheduling gates that still hold it back.
    pub gates: Box<[Arc<str>]>,
    /// When it was made, in seconds since 1970; 0 where it does not say.
    pub created: i64,
    /// Whether it was told to go.
    pub deleting: bool,
    /// Its labels: another dictionary may say something else of them.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What ties it to other pods.
    pub(crate) ties: Arc<Ties>,
    /// What its use is guessed by.
    pub(crate) origin: Arc<Origin>,
}

/// What a pod on a node takes there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tenant {
    pub(crate) request: Box<[f64]>,
    pub(crate) ports: Box<[HostPort]>,
    /// When it came there, in seconds since 1970; the largest number while that is our assumption only.
    pub(crate) since: i64,
    /// Whether it was told to go.
    pub(crate) deleting: bool,
    /// Whom it keeps away, and who it is to others.
    pub(crate) ties: Arc<Ties>,
    /// What its use is guessed by.
    pub(crate) origin: Arc<Origin>,
}

/// How a pod's phase and binding concern the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage<'a> {
    /// Waits for a node.
    Pending,
    /// Holds resources of the node, also while it terminates.
    Bound(&'a str),
    /// Holds nothing and waits for nothing: succeeded, failed, or deleted before it was bound.
    Over,
}

impl<'a> Stage<'a> {
    pub(crate) fn of(pod: &'a Pod) -> Self {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return Self::Over;
        }
        match pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            Some(node) if !node.is_empty() => Self::Bound(node),
            _ if pod.metadata.deletion_timestamp.is_some() => Self::Over,
            _ => Self::Pending,
        }
    }
}

/// The pod's UID, without which it can not be told from its namesakes.
pub(crate) fn uid(pod: &Pod) -> Result<&str, ObjectError> {
    let uid = pod.metadata.uid.as_deref().filter(|uid| !uid.is_empty());
    uid.ok_or_else(|| FieldError::missing("metadata.uid").of(object_name(pod)))
}

impl PodRow {
    /// Reads a pod whose class is known.
    pub(crate) fn read(pod: &Pod, class: u32, resources: &mut Resources) -> Result<Self, ObjectError> {
        let tenant = Tenant::read(pod, resources)?;
        let spec = pod.spec.as_ref();
        let text = |text: Option<&String>| Arc::from(text.map_or("", String::as_str));
        let nominated = pod.status.as_ref().and_then(|status| status.nominated_node_name.as_deref());
        Ok(Self {
            uid: uid(pod)?.into(),
            namespace: text(pod.metadata.namespace.as_ref()),
            name: text(pod.metadata.name.as_ref()),
            scheduler_name: scheduler_name(pod).into(),
            class,
            request: tenant.request,
            priority: spec.and_then(|spec| spec.priority).unwrap_or(0),
            nominated_node: nominated.filter(|node| !node.is_empty()).map(Arc::from),
            ports: tenant.ports,
            gates: spec.iter().flat_map(|spec| gate_names(spec)).collect(),
            created: pod.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
            deleting: tenant.deleting,
            ties: Arc::new(Ties::of_pending(pod)),
            origin: tenant.origin,
            labels: Arc::new(pod.metadata.labels.clone().unwrap_or_default()),
        })
    }

    /// What the pod would take on a node.
    pub(crate) fn tenant(&self) -> Tenant {
        Tenant {
            request: self.request.clone(),
            ports: self.ports.clone(),
            since: i64::MAX,
            deleting: self.deleting,
            ties: Arc::clone(&self.ties),
            origin: Arc::clone(&self.origin),
        }
    }
}

impl Tenant {
    pub(crate) fn read(pod: &Pod, resources: &mut Resources) -> Result<Self, ObjectError> {
        let amounts = effective_request(pod).map_err(|error| error.of(object_name(pod)))?;
        let ports = pod.spec.as_ref().map(host_ports).unwrap_or_default();
        Ok(Self {
            request: resources.ask(&amounts),
            ports,
            since: bound_at(pod),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            ties: Arc::new(Ties::of_bound(pod)),
            origin: Arc::new(Origin::of(pod)),
        })
    }
}

fn gate_names(spec: &PodSpec) -> impl Iterator<Item = Arc<str>> {
    spec.scheduling_gates.iter().flatten().map(|gate| Arc::from(gate.name.as_str()))
}

/// When a pod was bound, in seconds since 1970; where it does not say, when it was made; else long ago.
fn bound_at(pod: &Pod) -> i64 {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let scheduled = conditions.find(|condition| condition.type_ == "PodScheduled" && condition.status == "True");
    let bound = scheduled.and_then(|condition| condition.last_transition_time.as_ref());
    bound.or(pod.metadata.creation_timestamp.as_ref()).map_or(i64::MIN, |time| time.0.as_second())
}

/// The scheduler a pod asks for; the API server's default where the pod does not say.
pub(crate) fn scheduler_name(pod: &Pod) -> &str {
    let name = pod.spec.as_ref().and_then(|spec| spec.scheduler_name.as_deref());
    name.filter(|name| !name.is_empty()).unwrap_or("default-scheduler")
}

/// Whether an init container keeps running beside the containers.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn object_name(pod: &Pod) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("pod {}/{}", part(&pod.metadata.namespace), part(&pod.metadata.name))
}

/// Everything that a pod asks for.
fn effective_request(pod: &Pod) -> Result<Amounts<'_>, FieldError> {
    let mut request = Amounts::new();
    if let Some(spec) = &pod.spec {
        let resize = Resize::of(pod.status.as_ref());
        request = container_request(spec, &resize)?;
        request.extend(pod_level_request(spec, &resize)?);
        add(&mut request, &read_amounts(spec.overhead.as_ref(), || "spec.overhead".to_owned())?);
    }
    request.insert(PODS, Quantity::ONE);
    Ok(request)
}

fn container_request<'a>(spec: &'a PodSpec, resize: &Resize<'a>) -> Result<Amounts<'a>, FieldError> {
    let mut running = Amounts::new();
    for (number, container) in spec.containers.iter().enumerate() {
        add(&mut running, &resize.request(container, "containers", number)?);
    }
    let mut sidecars = Amounts::new();
    let mut starting = Amounts::new();
    for (number, container) in spec.init_containers.iter().flatten().enumerate() {
        let own = if is_sidecar(container) {
            let own = resize.request(container, "initContainers", number)?;
            add(&mut running, &own);
            add(&mut sidecars, &own);
            sidecars.clone()
        } else {
            let mut own = spec_request(container, "initContainers", number)?;
            add(&mut own, &sidecars);
            own
        };
        raise(&mut starting, &own);
    }
    raise(&mut running, &starting);
    Ok(running)
}

/// Pod-level requests, of the resources that can be asked for there.
fn pod_level_request<'a>(spec: &'a PodSpec, resize: &Resize<'a>) -> Result<Amounts<'a>, FieldError> {
    let Some(asked) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) else {
        return Ok(Amounts::new());
    };
    let asked = read_amounts(Some(asked), || "spec.resources.requests".to_owned())?;
    let mut effective = asked.clone();
    if let Some(actual) = resize.status.and_then(|status| status.resources.as_ref()) {
        let allocated = resize.status.and_then(|status| status.allocated_resources.as_ref());
        effective = resize.largest(&asked, actual.requests.as_ref(), allocated, "status")?;
    }
    let supported = |name: &str| name == "cpu" || name == "memory" || name.starts_with("hugepages-");
    let amount = |name| effective.get(name).copied().unwrap_or_default();
    Ok(asked.keys().filter(|name| supported(name)).map(|name| (*name, amount(name))).collect())
}

fn spec_request<'a>(container: &'a Container, list: &str, number: usize) -> Result<Amounts<'a>, FieldError> {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    read_amounts(requests, || format!("spec.{list}[{number}].resources.requests"))
}

/// How far a resize of a running pod has come (KEP-1287).
struct Resize<'a> {
    status: Option<&'a PodStatus>,
    infeasible: bool,
}

impl<'a> Resize<'a> {
    fn of(status: Option<&'a PodStatus>) -> Self {
        let pending = status.and_then(|s| s.conditions.iter().flatten().find(|c| c.type_ == "PodResizePending"));
        Self { status, infeasible: pending.is_some_and(|c| c.reason.as_deref() == Some("Infeasible")) }
    }

    /// What a long-running container counts as.
    fn request(&self, container: &'a Container, list: &str, number: usize) -> Result<Amounts<'a>, FieldError> {
        let asked = spec_request(container, list, number)?;
        let Some(status) = self.container_status(&container.name) else { return Ok(asked) };
        let Some(actual) = &status.resources else { return Ok(asked) };
        let field = format!("status of container {}", container.name);
        self.largest(&asked, actual.requests.as_ref(), status.allocated_resources.as_ref(), &field)
    }

    fn container_status(&self, name: &str) -> Option<&'a ContainerStatus> {
        let status = self.status?;
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten()).find(|status| status.name == name)
    }

    fn largest(
        &self,
        asked: &Amounts<'a>,
        actual: Option<&'a ResourceList>,
        allocated: Option<&'a ResourceList>,
        field: &str,
    ) -> Result<Amounts<'a>, FieldError> {
        let mut largest = if self.infeasible { Amounts::new() } else { asked.clone() };
        raise(&mut largest, &read_amounts(actual, || format!("{field}.resources.requests"))?);
        raise(&mut largest, &read_amounts(allocated, || format!("{field}.allocatedResources"))?);
        Ok(largest)
    }
}

#[cfg(test)]
mod tests;
