//! Filter: one verdict a row.

use crate::{
    margins::{Asked, LANES, Margins, lesser},
    state::Cluster,
    types::{DomainClass, Pod, Snapshot},
};

/// The verdicts of the contract, in the order in which they are tried; 0 is a pass.
const FORBIDDEN: u8 = 1;
const MISMATCH: u8 = 2;
const INSUFFICIENT: u8 = 3;
const OVERLOADED_SOON: u8 = 4;

/// The margins that a pod must fit in.
pub(crate) struct Limits {
    /// What is not yet asked for.
    free: Margins,
    /// What is left until a row runs hot, where there is a forecast.
    cool: Option<Margins>,
}

impl Limits {
    /// The limits of a snapshot that passed its checks.
    pub(crate) fn new(snapshot: &Snapshot, hot_share: f64) -> Self {
        let (rows, resources) = (snapshot.rows as usize, snapshot.resources as usize);
        let is_forecast = !snapshot.used_p90.is_empty();
        Self {
            free: Margins::new(rows, resources, free(snapshot)),
            cool: is_forecast.then(|| Margins::new(rows, resources, cool(snapshot, hot_share))),
        }
    }

    /// Takes one row anew from a snapshot of the same shape.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, hot_share: f64, row: usize) {
        self.free.set_row(row, free(snapshot));
        if let Some(margins) = &mut self.cool {
            margins.set_row(row, cool(snapshot, hot_share));
        }
    }
}

fn free(snapshot: &Snapshot) -> impl Fn(usize) -> f64 {
    |cell| snapshot.allocatable[cell] - snapshot.requested[cell]
}

/// A resource that a row does not offer never runs hot.
fn cool(snapshot: &Snapshot, hot_share: f64) -> impl Fn(usize) -> f64 {
    move |cell| match snapshot.allocatable[cell] {
        0.0 => f64::INFINITY,
        offered => hot_share * offered - snapshot.used_p90[cell],
    }
}

/// A pod before the rows of a cluster.
pub(crate) struct Trial<'a> {
    limits: &'a Limits,
    class: &'a DomainClass,
    request: Vec<Asked>,
    estimate: Vec<Asked>,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(cluster: &'a Cluster, class: &'a DomainClass, pod: &Pod) -> Self {
        let estimate = if pod.estimate.is_empty() { &pod.request } else { &pod.estimate };
        let asked = |amounts: &[f64]| -> Vec<Asked> {
            amounts.iter().enumerate().map(|(resource, &amount)| Asked { resource, amount }).collect()
        };
        // A resource that the pod does not ask for is no obstacle, however overcommitted.
        let mut request = asked(&pod.request);
        request.retain(|asked| asked.amount > 0.0);
        Self { limits: &cluster.limits, class, request, estimate: asked(estimate) }
    }

    /// One verdict a row.
    pub(crate) fn verdicts(&self, rows: usize) -> Vec<u8> {
        let mut verdicts = Vec::with_capacity(rows.next_multiple_of(LANES));
        (0..rows.div_ceil(LANES)).for_each(|block| verdicts.extend_from_slice(&self.verdicts_in(block)));
        verdicts.truncate(rows);
        verdicts
    }

    fn verdicts_in(&self, block: usize) -> [u8; LANES] {
        let free = self.free(block);
        let cool = self.cool(block);
        let permitted = octet(&self.class.permitted, block);
        let possible = octet(&self.class.possible, block);
        std::array::from_fn(|lane| {
            let mut verdict = if cool[lane] < 0.0 { OVERLOADED_SOON } else { 0 };
            verdict = if free[lane] < 0.0 { INSUFFICIENT } else { verdict };
            verdict = if possible >> lane & 1 == 0 { MISMATCH } else { verdict };
            if permitted >> lane & 1 == 0 { FORBIDDEN } else { verdict }
        })
    }

    /// Of a block's rows, those that pass.
    #[inline]
    pub(crate) fn passes(&self, block: usize) -> [bool; LANES] {
        let least = lesser(self.free(block), self.cool(block));
        let open = octet(&self.class.permitted, block) & octet(&self.class.possible, block);
        std::array::from_fn(|lane| (least[lane] >= 0.0) & (open >> lane & 1 == 1))
    }

    #[inline]
    fn free(&self, block: usize) -> [f64; LANES] {
        self.limits.free.left(block, &self.request)
    }

    #[inline]
    fn cool(&self, block: usize) -> [f64; LANES] {
        match &self.limits.cool {
            Some(cool) => cool.left(block, &self.estimate),
            None => [f64::INFINITY; LANES],
        }
    }
}

/// The bits of one block of rows; the bitmap's length was checked against the rows.
fn octet(bitmap: &[u64], block: usize) -> u8 {
    (bitmap[block / LANES] >> (block % LANES * LANES)) as u8
}
