//! A solution with what each server spends.
//!
//! Promises: `totals_after` is what `totals` says once `shift` is done, bit for bit, because all sums are exact. Must
//! not know: objectives.

use crate::problem::Genome;

/// Energy and time: of a task on a server, of a server, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Energy.
    pub energy: f64,
    /// Time.
    pub time: f64,
}

impl Demand {
    fn change(&mut self, by: Self) {
        self.energy += by.energy;
        self.time += by.time;
    }

    fn less(self, other: Self) -> Self {
        Self { energy: self.energy - other.energy, time: self.time - other.time }
    }
}

/// What scores are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Over all tasks.
    pub(super) sum: Demand,
    /// Energy above the caps, over all servers.
    pub(super) excess: f64,
    /// The time of the server that works longest.
    pub(super) longest: f64,
}

/// One task goes from a server to another, and perhaps one comes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shift {
    pub(super) from: u32,
    pub(super) to: u32,
    /// What the task took where it was, and takes where it goes.
    pub(super) out: Demand,
    pub(super) into: Demand,
    /// What the other task took on the server that the first one goes to, and takes where that was.
    pub(super) taken: Demand,
    pub(super) back: Demand,
}

impl Shift {
    /// What the two servers spend more; nothing changes if they are the same.
    #[inline]
    fn changes(&self) -> [(u32, Demand); 2] {
        if self.from == self.to {
            return [(self.from, Demand::default()); 2];
        }
        [(self.from, self.back.less(self.out)), (self.to, self.into.less(self.taken))]
    }
}

/// The state of a solution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    genome: Genome,
    loads: Vec<Demand>,
    totals: Totals,
}

impl State {
    /// Takes over a genome.
    pub(super) fn load(&mut self, genome: &[u32], caps: &[f64], demand: impl Fn(usize, u32) -> Demand) {
        self.genome.clear();
        self.genome.extend_from_slice(genome);
        self.loads.clear();
        self.loads.resize(caps.len(), Demand::default());
        for (item, &server) in genome.iter().enumerate() {
            if let Some(load) = self.loads.get_mut(server as usize) {
                load.change(demand(item, server));
            }
        }
        let mut totals = Totals { longest: self.longest(|_| None), ..Totals::default() };
        for (load, cap) in self.loads.iter().zip(caps) {
            totals.sum.change(*load);
            totals.excess += (load.energy - cap).max(0.0);
        }
        self.totals = totals;
    }

    /// What each server spends.
    #[must_use]
    pub fn loads(&self) -> &[Demand] {
        &self.loads
    }

    pub(super) fn genome(&self) -> &[u32] {
        &self.genome
    }

    pub(super) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What a server may still spend; below 0 if it is above its cap.
    pub(super) fn room(&self, caps: &[f64], server: u32) -> f64 {
        let server = server as usize;
        self.loads.get(server).map_or(0.0, |load| caps[server] - load.energy)
    }

    pub(super) fn set_gene(&mut self, item: usize, value: u32) {
        self.genome[item] = value;
    }

    pub(super) fn swap_genes(&mut self, first: usize, second: usize) {
        self.genome.swap(first, second);
    }

    /// The totals if a shift were done.
    #[inline]
    pub(super) fn totals_after(&self, caps: &[f64], shift: &Shift) -> Totals {
        let mut totals = self.totals;
        let (mut longest, mut shrinks) = (totals.longest, false);
        for (server, change) in shift.changes() {
            let Some(load) = self.loads.get(server as usize) else { continue };
            let cap = caps[server as usize];
            totals.sum.change(change);
            totals.excess += (load.energy + change.energy - cap).max(0.0) - (load.energy - cap).max(0.0);
            longest = longest.max(load.time + change.time);
            shrinks |= change.time < 0.0 && load.time == self.totals.longest;
        }
        totals.longest = if shrinks { self.longest_after(shift) } else { longest };
        totals
    }

    /// Does a shift; the genes are the caller's.
    pub(super) fn shift(&mut self, caps: &[f64], shift: &Shift) {
        self.totals = self.totals_after(caps, shift);
        for (server, change) in shift.changes() {
            if let Some(load) = self.loads.get_mut(server as usize) {
                load.change(change);
            }
        }
    }

    /// A server that worked longest works less: only a look at all of them tells which one does now.
    fn longest_after(&self, shift: &Shift) -> f64 {
        let changes = shift.changes();
        self.longest(|server| {
            changes.iter().find(|(changed, _)| *changed as usize == server).map(|(_, change)| *change)
        })
    }

    fn longest(&self, change: impl Fn(usize) -> Option<Demand>) -> f64 {
        let after = |(server, load): (usize, &Demand)| load.time + change(server).unwrap_or_default().time;
        self.loads.iter().enumerate().map(after).fold(0.0, f64::max)
    }
}
