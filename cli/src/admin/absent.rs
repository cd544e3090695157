//! A pod that no replica remembers: what the API server says of it, asked with the user's own rights.
//!
//! Replicas keep in memory what they decided, so nothing is left of it after a start. Must not guess why the pod is
//! where it is.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Client};

use crate::CliError;
use crate::error::chain;

/// What can be said of the pod, as the failure that this is. `client` leads to the API server.
pub(super) async fn failure(client: Result<Client, CliError>, namespace: &str, name: &str) -> CliError {
    CliError::Failed(match read(client, namespace, name).await {
        Ok(pod) => format!(
            "no replica of the extender remembers pod {namespace}/{name}: what was decided before it started, or too \
             many pods ago, it has not kept. {}",
            standing(&pod)
        ),
        Err(CliError::Api { source, .. }) if matches!(&*source, kube::Error::Api(status) if status.code == 404) => {
            format!("there is no pod {namespace}/{name}, and no replica of the extender remembers one")
        }
        Err(error) => format!(
            "no replica of the extender remembers pod {namespace}/{name}, and the pod cannot be read: {}",
            chain(&error)
        ),
    })
}

async fn read(client: Result<Client, CliError>, namespace: &str, name: &str) -> Result<Pod, CliError> {
    let pods: Api<Pod> = Api::namespaced(client?, namespace);
    pods.get(name).await.map_err(|error| CliError::api(format!("pod {namespace}/{name}"), error))
}

/// Where the pod is, since when, and where it was nominated for.
fn standing(pod: &Pod) -> String {
    let since = |time: Option<&Time>| time.map(|time| format!(" since {}", time.0)).unwrap_or_default();
    let nominated = pod.status.as_ref().and_then(|status| status.nominated_node_name.as_deref());
    let nominated = nominated.map(|node| format!(", nominated for {node}")).unwrap_or_default();
    let spec = pod.spec.as_ref();
    match spec.and_then(|spec| spec.node_name.as_deref()) {
        Some(node) => format!("The pod is on {node}{}{nominated}", since(bound_at(pod))),
        None => format!(
            "The pod waits{}{nominated}, for the scheduler {}: is that the schedulerName of a profile?",
            since(pod.metadata.creation_timestamp.as_ref()),
            spec.and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or("default-scheduler")
        ),
    }
}

fn bound_at(pod: &Pod) -> Option<&Time> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let bound = conditions.find(|condition| condition.type_ == "PodScheduled" && condition.status == "True")?;
    bound.last_transition_time.as_ref()
}
