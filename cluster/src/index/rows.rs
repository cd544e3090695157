//! Rows: columns and classes kept in step with nodes and their pods.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Index, Slot};
use crate::node::NodeRow;
use crate::pod::Tenant;
use crate::ports::HostPort;
use crate::quantity::LARGEST_AMOUNT;
use crate::residents::Resident;

impl Index {
    /// What the pods that surely stay on a node ask for beside the victims, one number a resource: those bound there that
    /// were not told to go. `None`: no such node, or not all the victims are known to be on it.
    #[must_use]
    pub fn staying_without(&self, node: &str, victims: &HashSet<&str>) -> Option<Vec<f64>> {
        self.state.row(node)?;
        let known = self.tenants(node).filter(|(uid, _)| victims.contains(&***uid)).count();
        let stays = |uid: &str, tenant: &Tenant| {
            self.node_by_bound_pod.contains_key(uid) && !tenant.deleting && !victims.contains(uid)
        };
        let staying = self.tenants(node).filter(|(uid, tenant)| stays(uid, tenant));
        (known == victims.len()).then(|| self.sum(staying.map(|(_, tenant)| &*tenant.request)))
    }

    /// The lowest row without a node, made if there is none.
    pub(super) fn take_row(&mut self) -> u32 {
        if let Some(row) = self.free_rows.pop_first() {
            return row;
        }
        let row = self.slots.len();
        let columns = (row + 1) * self.state.resources.len();
        self.slots.push(None);
        self.classes.grow(row + 1);
        Arc::make_mut(&mut self.state.allocatable).resize(columns, 0.0);
        Arc::make_mut(&mut self.state.requested).resize(columns, 0.0);
        Arc::make_mut(&mut self.state.weights).resize(columns, 0.0);
        self.shape_use();
        self.shape_plan();
        Arc::make_mut(&mut self.state.names).push(None);
        Arc::make_mut(&mut self.state.nodes).push(None);
        self.state.residents.push_row();
        Arc::make_mut(&mut self.state.changed).push(0);
        self.state.classes = Arc::new(self.classes.list());
        self.state.shaped = self.state.generation;
        row as u32
    }

    /// Puts a node, or nothing, on a row.
    pub(super) fn fill_row(&mut self, row: u32, node: Option<NodeRow>) {
        let generation = self.state.generation;
        let name = node.as_ref().map(|node| Arc::clone(&node.name));
        let node = node.map(Arc::new);
        Arc::make_mut(&mut self.state.nodes)[row as usize].clone_from(&node);
        self.slots[row as usize] = node.map(|node| Slot { taken: self.taken_ports(&node.name), node });
        Arc::make_mut(&mut self.state.changed)[row as usize] = generation;
        if self.state.names[row as usize] != name {
            Arc::make_mut(&mut self.state.names)[row as usize] = name;
        }
        self.write_offer(row);
        self.write_requested(row);
        self.write_use(row);
        self.write_planned(row);
        self.write_residents(row);
        self.judge_row(row, false);
    }

    /// Brings the columns and classes of a node in step with its pods.
    pub(super) fn refresh_tenants(&mut self, node: &str) {
        let Some(row) = self.state.row(node) else { return };
        let requested = self.write_requested(row);
        if self.write_use(row) || requested {
            Arc::make_mut(&mut self.state.changed)[row as usize] = self.state.generation;
        }
        self.write_residents(row);
        let taken = self.taken_ports(node);
        let slot = self.slots[row as usize].as_mut().expect("invariant: a named row has a node");
        if slot.taken != taken {
            slot.taken = taken;
            self.judge_row(row, true);
        }
    }

    /// Gives every row and every waiting pod columns for resources that were seen for the first time.
    pub(super) fn widen(&mut self) {
        let (before, after) = (self.state.resources.len(), self.resources.len());
        if before == after {
            return;
        }
        self.state.shaped = self.change();
        self.state.resources = self.resources.names();
        let state = &mut self.state;
        let matrices = [&mut state.allocatable, &mut state.requested, &mut state.weights];
        let optional = [&mut state.used_p50, &mut state.used_p90, &mut state.planned];
        for matrix in matrices.into_iter().chain(optional) {
            *matrix = Arc::new(widened(matrix, before, after));
        }
        self.state.unplaced.widen(after);
    }

    fn write_offer(&mut self, row: u32) {
        let columns = self.columns(row);
        let offer = self.slots[row as usize].as_ref().map_or(&[][..], |slot| &slot.node.allocatable);
        let offer: Vec<f64> = padded(offer, columns.len());
        let weight = |(column, amount): (usize, &f64)| f64::from(column < self.state.objective && *amount > 0.0);
        let weights: Vec<f64> = offer.iter().enumerate().map(weight).collect();
        write(&mut self.state.allocatable, columns.clone(), &offer);
        write(&mut self.state.weights, columns, &weights);
    }

    fn write_requested(&mut self, row: u32) -> bool {
        let requested = match &self.state.names[row as usize] {
            Some(node) => self.sum(self.tenants(node).map(|(_, tenant)| &*tenant.request)),
            None => vec![0.0; self.state.resources.len()],
        };
        let columns = self.columns(row);
        write(&mut self.state.requested, columns, &requested)
    }

    /// Shows who lives on a row's node.
    fn write_residents(&mut self, row: u32) {
        let node = self.state.names[row as usize].as_ref();
        let tenants = node.into_iter().flat_map(|node| self.tenants(node));
        let resident =
            |(_, tenant): (_, &Tenant)| Resident { ties: Arc::clone(&tenant.ties), deleting: tenant.deleting };
        let residents: Vec<Resident> = tenants.map(resident).collect();
        self.state.residents.set_row(row, residents);
    }

    fn judge_row(&mut self, row: u32, only_ports: bool) {
        let site = Slot::site(self.slots[row as usize].as_ref());
        if self.classes.judge_row(row as usize, site, &self.dictionary, self.state.generation, only_ports) {
            self.state.classes = Arc::new(self.classes.list());
        }
    }

    pub(super) fn columns(&self, row: u32) -> std::ops::Range<usize> {
        let columns = self.state.resources.len();
        let start = row as usize * columns;
        start..start + columns
    }

    /// The sum over the pods that came to a node later than `time`, in seconds since 1970.
    pub(super) fn sum_requests_since(&self, node: &str, time: i64) -> Vec<f64> {
        let newer = self.tenants(node).filter(|(_, tenant)| tenant.since > time);
        self.sum(newer.map(|(_, tenant)| &*tenant.request))
    }

    /// The sum over pods, from scratch: with whole numbers and a cap at the end it does not depend on the order of
    /// events, and a node has few pods.
    pub(super) fn sum<'a>(&self, requests: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
        let mut sum = vec![0.0; self.state.resources.len()];
        for request in requests {
            for (sum, amount) in sum.iter_mut().zip(request) {
                *sum += amount;
            }
        }
        sum.iter().map(|sum| sum.min(LARGEST_AMOUNT)).collect()
    }

    fn taken_ports(&self, node: &str) -> Vec<HostPort> {
        self.tenants(node).flat_map(|(_, tenant)| tenant.ports.iter().cloned()).collect()
    }

    fn tenants(&self, node: &str) -> impl Iterator<Item = (&Arc<str>, &Tenant)> {
        self.tenants_by_node.get(node).into_iter().flat_map(BTreeMap::iter)
    }
}

fn padded(values: &[f64], length: usize) -> Vec<f64> {
    let zeros = std::iter::repeat(0.0);
    values.iter().copied().chain(zeros).take(length).collect()
}

fn widened(matrix: &[f64], before: usize, after: usize) -> Vec<f64> {
    matrix.chunks_exact(before).flat_map(|row| padded(row, after)).collect()
}

/// Writes a part of a column if it differs, so that an equal one is not copied.
pub(super) fn write(matrix: &mut Arc<Vec<f64>>, columns: std::ops::Range<usize>, values: &[f64]) -> bool {
    let differs = matrix[columns.clone()] != *values;
    if differs {
        Arc::make_mut(matrix)[columns].copy_from_slice(values);
    }
    differs
}
