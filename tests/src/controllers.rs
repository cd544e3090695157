//! kube-controller-manager with the controllers that make pods, for scenarios whose pods have owners.
//!
//! Each controller has the service account and the rights that Kubernetes gives it, as in a cluster. All others stay
//! off: kwok plays the kubelets, and nothing here needs garbage collection or node lifecycles.

use anyhow::Result;

use crate::binaries;
use crate::control_plane::ControlPlane;
use crate::process::{Process, free_ports};

const CONTROLLERS: &str = "deployment-controller,replicaset-controller,job-controller";

/// A running kube-controller-manager; dropping it stops it.
#[derive(Debug)]
pub struct Controllers {
    process: Process,
}

impl Controllers {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// It ends, or does not get healthy; the message has the end of its log.
    pub async fn start(plane: &ControlPlane) -> Result<Self> {
        const NAME: &str = "kube-controller-manager";
        let [port] = free_ports()?;
        let kubeconfig = plane.kubeconfig_of("system:kube-controller-manager")?;
        let serving = plane.serving_certificate(NAME)?;
        let arguments = [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--authentication-kubeconfig={}", kubeconfig.display()),
            format!("--authorization-kubeconfig={}", kubeconfig.display()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", serving.certificate.display()),
            format!("--tls-private-key-file={}", serving.key.display()),
            format!("--controllers={CONTROLLERS}"),
            "--use-service-account-credentials=true".to_owned(),
            // It is alone, and one that is killed would leave its lease behind.
            "--leader-elect=false".to_owned(),
        ];
        let program = binaries::control_plane()?.join(NAME);
        let mut process = Process::start(NAME, &program, arguments, &[], plane.folder())?;
        process.serves(&plane.endpoint(NAME, port).await?, "/healthz").await?;
        Ok(Self { process })
    }

    /// The end of its log.
    #[must_use]
    pub fn log_end(&self, lines: usize) -> String {
        self.process.log_end(lines)
    }
}
