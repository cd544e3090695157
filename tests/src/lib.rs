//! Tests of the whole system: an unmodified control plane, and Gantry beside it.
//!
//! ```text
//!  binaries ─► control_plane: etcd ◄─ kube-apiserver ◄─ kwok (plays the kubelets)
//!                                          ▲    ▲
//!                  workload (nodes, pods) ─┘    └─ scheduler: kube-scheduler ──HTTP──► extender
//!                                          │                                             ▲
//!                  placement (who lies where, σ, legality) ◄─┘      prometheus ─► forecaster ─┘
//! ```
//!
//! Where pods have owners, [`Controllers`] are a kube-controller-manager that makes them. What the manifests ship is taken
//! from there ([`shipped`]). Every process listens on loopback only, with certificates made for the run, and ends with the
//! test that started it, however that test ends. Nothing here knows how Gantry decides: it sees the cluster from outside, as an admin does.

pub mod binaries;
pub mod certificates;
pub mod columns;
pub mod control_plane;
pub mod controllers;
pub mod extender;
pub mod forecaster;
pub mod http;
pub mod interleaved;
pub mod kubectl;
pub mod metrics;
pub mod placement;
pub mod poll;
pub mod process;
pub mod prometheus;
pub mod report;
pub mod scheduler;
pub mod shipped;
pub mod trial;
pub mod workload;

pub use control_plane::ControlPlane;
pub use controllers::Controllers;
pub use extender::Extender;
pub use forecaster::Forecaster;
pub use prometheus::Prometheus;
pub use scheduler::Scheduler;

/// Every search that the built-in plugin's settings know.
pub const SEARCHES: [&str; 10] = [
    "greedy",
    "local-search",
    "annealing",
    "memetic",
    "dictionary-ga",
    "standard-ga",
    "tcga",
    "cmma-ga",
    "bee-colony",
    "quota-ga",
];
