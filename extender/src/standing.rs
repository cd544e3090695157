//! How a waiting pod stands: how many nodes it could have, and what takes the others away.

use std::fmt;

use gantry_cluster::{PodRow, Snapshot};
use serde::Serialize;

/// Nodes, by what a pod may do with them; each count is of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// All nodes.
    pub nodes: usize,
    /// Nodes that Kubernetes' own constraints allow.
    pub possible: usize,
    /// Those that the admins' dictionary permits.
    pub permitted: usize,
    /// Those that have room beside what is bound and assumed there.
    pub with_room: usize,
}

impl Standing {
    /// The standing of a pod in a snapshot that holds it.
    #[must_use]
    pub fn of(snapshot: &Snapshot, pod: &PodRow) -> Self {
        let mut standing = Self { nodes: snapshot.node_count(), possible: 0, permitted: 0, with_room: 0 };
        let Some(class) = snapshot.class(pod.class) else { return standing };
        for row in (0..snapshot.rows() as u32).filter(|row| class.is_possible(*row)) {
            standing.possible += 1;
            if class.is_permitted(row) {
                standing.permitted += 1;
                standing.with_room += usize::from(fits(snapshot, row, &pod.request));
            }
        }
        standing
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { nodes, possible, permitted, with_room } = self;
        write!(
            formatter,
            "{nodes} nodes: its constraints allow {possible}, the dictionary permits {permitted} of them, {with_room} of \
             those have room"
        )
    }
}

fn fits(snapshot: &Snapshot, row: u32, request: &[f64]) -> bool {
    let cells = row as usize * snapshot.resources().len()..;
    let (taken, offered) = (&snapshot.requested()[cells.clone()], &snapshot.allocatable()[cells]);
    let columns = request.iter().zip(taken).zip(offered);
    columns.into_iter().all(|((request, taken), offered)| *request == 0.0 || taken + request <= *offered)
}
