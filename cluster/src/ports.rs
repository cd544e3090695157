//! Host ports: which ones a pod takes, and which ones exclude each other.
//!
//! Follows kube-scheduler's `HostPortInfo`: same protocol and number conflict when the addresses are equal or one of
//! them is `0.0.0.0`.

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec};

use crate::pod::is_sidecar;

/// Every address of the host.
const ANY_ADDRESS: &str = "0.0.0.0";

/// A port of the host that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The port's number, above 0.
    pub number: i32,
    /// `TCP`, `UDP` or `SCTP`; `TCP` where the pod does not say.
    pub protocol: String,
    /// The host's address; `0.0.0.0` (all of them) where the pod does not say.
    pub address: String,
}

impl HostPort {
    /// Whether two pods with these ports can not share a node.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let addresses_meet =
            self.address == other.address || self.address == ANY_ADDRESS || other.address == ANY_ADDRESS;
        self.number == other.number && self.protocol == other.protocol && addresses_meet
    }

    /// Whether it is taken on every address.
    pub(crate) fn has_any_address(&self) -> bool {
        self.address == ANY_ADDRESS
    }

    /// Whether the other one is the same port of one address alone.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.conflicts_with(other) && self.address != other.address && !other.has_any_address()
    }

    fn read(port: &ContainerPort) -> Option<Self> {
        let or = |text: Option<&String>, default: &str| {
            text.filter(|text| !text.is_empty()).map_or_else(|| default.to_owned(), Clone::clone)
        };
        Some(Self {
            number: port.host_port.filter(|number| *number > 0)?,
            protocol: or(port.protocol.as_ref(), "TCP"),
            address: or(port.host_ip.as_ref(), ANY_ADDRESS),
        })
    }
}

/// The ports of everything that runs for as long as the pod does, sorted and without repetition.
pub(crate) fn host_ports(spec: &PodSpec) -> Box<[HostPort]> {
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let ports = |container: &Container| container.ports.iter().flatten().filter_map(HostPort::read).collect::<Vec<_>>();
    let mut ports: Vec<HostPort> = sidecars.chain(&spec.containers).flat_map(ports).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn port(address: &str, protocol: &str, number: i32) -> HostPort {
        HostPort { number, protocol: protocol.into(), address: address.into() }
    }

    #[test]
    fn ports_conflict_when_number_protocol_and_address_meet() {
        let any = port("0.0.0.0", "TCP", 80);
        assert!(any.conflicts_with(&any));
        assert!(any.conflicts_with(&port("10.0.0.1", "TCP", 80)));
        assert!(port("10.0.0.1", "TCP", 80).conflicts_with(&any));
        assert!(!port("10.0.0.1", "TCP", 80).conflicts_with(&port("10.0.0.2", "TCP", 80)));
        assert!(!any.conflicts_with(&port("0.0.0.0", "UDP", 80)));
        assert!(!any.conflicts_with(&port("0.0.0.0", "TCP", 81)));
    }

    #[test]
    fn containers_and_sidecars_take_ports_but_init_containers_do_not() {
        let spec = serde_json::from_value(json!({
            "initContainers": [
                {"name": "init", "ports": [{"containerPort": 1, "hostPort": 1}]},
                {"name": "sidecar", "restartPolicy": "Always",
                 "ports": [{"containerPort": 2, "hostPort": 2, "protocol": "UDP"}]},
            ],
            "containers": [
                {"name": "main",
                 "ports": [{"containerPort": 3, "hostPort": 3, "hostIP": "10.0.0.1"}, {"containerPort": 4}]},
            ],
        }))
        .unwrap();
        assert_eq!(*host_ports(&spec), [port("0.0.0.0", "UDP", 2), port("10.0.0.1", "TCP", 3)]);
    }
}
