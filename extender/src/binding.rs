//! Binding a pod by our own hand; off unless an admin asks for it.
//!
//! Promises to say "bound" only after the API server did: kube-scheduler would hold a
//! pod that never was bound for placed until it restarts.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::runtime::Handle;

use crate::wire::bind::BindingArgs;

/// Why a pod was not bound, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The API server said no.
    #[error("binding {pod} to node {node} failed: {source}")]
    Refused {
        /// The pod, namespace and name.
        pod: String,
        /// The node.
        node: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// No answer in time; the pod may be bound or not, and kube-scheduler will find out.
    #[error("binding {pod} to node {node} took longer than {patience:?}")]
    TooSlow {
        /// The pod, namespace and name.
        pod: String,
        /// The node.
        node: String,
        /// The deadline.
        patience: Duration,
    },
    /// As after the one before, nobody knows.
    #[error("binding {pod} to node {node} ended unexpectedly")]
    Ended {
        /// The pod, namespace and name.
        pod: String,
        /// The node.
        node: String,
    },
}

/// Binds pods.
#[derive(Clone)]
pub struct Binder {
    client: Client,
    patience: Duration,
    runtime: Handle,
}

impl std::fmt::Debug for Binder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Binder").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Binder {
    /// A binder that waits for the API server no longer than `patience`. It talks to that on the runtime that it is made
    /// in: connections there are kept for the next binding, and must not end with kube-scheduler's.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[must_use]
    pub fn new(client: Client, patience: Duration) -> Self {
        Self { client, patience, runtime: Handle::current() }
    }

    /// Posts the binding and waits until it is done.
    ///
    /// # Errors
    /// Where the API server refuses, or does not answer in time.
    pub async fn bind(&self, args: &BindingArgs<'_>) -> Result<(), BindingError> {
        let (pod, node) = (format!("{}/{}", &*args.pod_namespace, &*args.pod_name), (*args.node).to_owned());
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &args.pod_namespace);
        let (binding, name, patience) = (binding(args), (*args.pod_name).to_owned(), self.patience);
        let posting = async move {
            let parameters = PostParams::default();
            let posting = api.create_subresource::<_, serde_json::Value>("binding", &name, &parameters, &binding);
            tokio::time::timeout(patience, posting).await
        };
        match self.runtime.spawn(posting).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(source))) => Err(BindingError::Refused { pod, node, source: Box::new(source) }),
            Ok(Err(_elapsed)) => Err(BindingError::TooSlow { pod, node, patience }),
            Err(_ended) => Err(BindingError::Ended { pod, node }),
        }
    }
}

/// The uid makes the API server refuse a later pod of the same name.
fn binding(args: &BindingArgs) -> Binding {
    Binding {
        metadata: ObjectMeta {
            name: Some((*args.pod_name).to_owned()),
            namespace: Some((*args.pod_namespace).to_owned()),
            uid: Some((*args.pod_uid).to_owned()),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some((*args.node).to_owned()),
            ..ObjectReference::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_names_pod_uid_and_node() {
        let args =
            BindingArgs { pod_name: "p".into(), pod_namespace: "n".into(), pod_uid: "u".into(), node: "a".into() };
        assert_eq!(
            serde_json::to_value(binding(&args)).unwrap(),
            serde_json::json!({
                "apiVersion": "v1", "kind": "Binding",
                "metadata": {"name": "p", "namespace": "n", "uid": "u"},
                "target": {"kind": "Node", "name": "a"}
            })
        );
    }
}
