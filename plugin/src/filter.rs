//! Filter: one verdict a row.

use crate::{
    margins::{Asked, LANES, Margins},
    state::Cluster,
    types::{DomainClass, Pod, Snapshot},
};

/// The verdicts of the contract, in the order in which they are tried.
const PASS: u8 = 0;
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
    /// What is neither asked for nor planned, where there is a plan.
    unplanned: Option<Margins>,
}

impl Limits {
    /// The limits of a snapshot that passed its checks.
    pub(crate) fn new(snapshot: &Snapshot, hot_share: f64) -> Self {
        let (rows, resources) = (snapshot.rows as usize, snapshot.resources as usize);
        let (is_forecast, is_planned) = (!snapshot.used_p90.is_empty(), !snapshot.planned.is_empty());
        Self {
            free: Margins::new(rows, resources, free(snapshot)),
            cool: is_forecast.then(|| Margins::new(rows, resources, cool(snapshot, hot_share))),
            unplanned: is_planned.then(|| Margins::new(rows, resources, unplanned(snapshot))),
        }
    }

    /// Has one row's plan reserve its room for the pod at hand.
    pub(crate) fn open(&mut self, snapshot: &Snapshot, row: usize) {
        if let Some(margins) = &mut self.unplanned {
            margins.set_row(row, free(snapshot));
        }
    }

    /// Takes [`open`](Self::open) back.
    pub(crate) fn close(&mut self, snapshot: &Snapshot, row: usize) {
        if let Some(margins) = &mut self.unplanned {
            margins.set_row(row, unplanned(snapshot));
        }
    }

    /// Takes one row anew from a snapshot of the same shape.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, hot_share: f64, row: usize) {
        self.free.set_row(row, free(snapshot));
        if let Some(margins) = &mut self.cool {
            margins.set_row(row, cool(snapshot, hot_share));
        }
        self.close(snapshot, row);
    }
}

fn free(snapshot: &Snapshot) -> impl Fn(usize) -> f64 {
    |cell| snapshot.allocatable[cell] - snapshot.requested[cell]
}

fn unplanned(snapshot: &Snapshot) -> impl Fn(usize) -> f64 {
    |cell| snapshot.allocatable[cell] - snapshot.requested[cell] - snapshot.planned[cell]
}

/// How much more of a cell can be used until the row runs hot. A resource that a row does not offer, or that nothing is
/// forecast of, never runs hot.
pub(crate) fn cool(snapshot: &Snapshot, hot_share: f64) -> impl Fn(usize) -> f64 {
    move |cell| match (snapshot.allocatable[cell], snapshot.used_p90[cell]) {
        (0.0, _) | (_, 0.0) => f64::INFINITY,
        (offered, used) => hot_share * offered - used,
    }
}

/// A pod before the rows of a cluster.
pub(crate) struct Trial<'a> {
    class: &'a DomainClass,
    /// What the pod must have room for.
    room: Demand<'a>,
    /// What must not make a row run hot, where there is a forecast.
    heat: Option<Demand<'a>>,
}

struct Demand<'a> {
    margins: &'a Margins,
    asked: Vec<Asked>,
}

impl Demand<'_> {
    #[inline]
    fn left(&self, block: usize, least: [f64; LANES]) -> [f64; LANES] {
        self.margins.left(block, &self.asked, least)
    }
}

/// What a block's rows would have left at least; below 0 where the pod does not pass.
pub(crate) struct Slack {
    /// Of what the pod asks for.
    pub(crate) room: [f64; LANES],
    /// The same, and until they run hot.
    pub(crate) all: [f64; LANES],
}

impl Slack {
    /// Whether any row of the block is refused for running hot alone, by the signs, which no vector is unpacked for.
    #[inline]
    pub(crate) fn is_any_hot(&self) -> bool {
        let signs: [u64; LANES] = std::array::from_fn(|lane| self.all[lane].to_bits() & !self.room[lane].to_bits());
        signs.into_iter().fold(0, |any, sign| any | sign) >> 63 == 1
    }

    /// Whether a row is refused for running hot alone.
    #[inline]
    pub(crate) fn is_hot(&self, lane: usize) -> bool {
        self.all[lane] < 0.0 && self.room[lane] >= 0.0
    }
}

impl<'a> Trial<'a> {
    /// Beside what is placed.
    pub(crate) fn new(cluster: &'a Cluster, class: &'a DomainClass, pod: &Pod) -> Self {
        Self::within(&cluster.limits, &cluster.limits.free, class, pod)
    }

    /// Beside what is placed and what is planned.
    pub(crate) fn beside_plan(cluster: &'a Cluster, class: &'a DomainClass, pod: &Pod) -> Self {
        let Limits { free, unplanned, .. } = &cluster.limits;
        Self::within(&cluster.limits, unplanned.as_ref().unwrap_or(free), class, pod)
    }

    fn within(limits: &'a Limits, free: &'a Margins, class: &'a DomainClass, pod: &Pod) -> Self {
        let estimate = if pod.estimate.is_empty() { &pod.request } else { &pod.estimate };
        let heat = limits.cool.as_ref().map(|margins| Demand { margins, asked: asked(estimate) });
        // A resource that the pod does not ask for is no obstacle, however overcommitted.
        let mut request = asked(&pod.request);
        request.retain(|asked| asked.amount > 0.0);
        Self { class, room: Demand { margins: free, asked: request }, heat }
    }

    /// One verdict a row.
    pub(crate) fn verdicts(&self, rows: usize) -> Vec<u8> {
        let mut verdicts = Vec::with_capacity(rows.next_multiple_of(LANES));
        (0..rows.div_ceil(LANES)).for_each(|block| verdicts.extend_from_slice(&self.verdicts_in(block)));
        verdicts.truncate(rows);
        verdicts
    }

    fn verdicts_in(&self, block: usize) -> [u8; LANES] {
        let permitted = octet(&self.class.permitted, block);
        let possible = octet(&self.class.possible, block);
        let mut verdicts = [PASS; LANES];
        if let Some(heat) = &self.heat {
            let left = heat.left(block, [f64::INFINITY; LANES]);
            verdicts = left.map(|left| if left < 0.0 { OVERLOADED_SOON } else { PASS });
        }
        let left = self.room.left(block, [f64::INFINITY; LANES]);
        verdicts = std::array::from_fn(|lane| if left[lane] < 0.0 { INSUFFICIENT } else { verdicts[lane] });
        std::array::from_fn(|lane| match (permitted >> lane & 1, possible >> lane & 1) {
            (0, _) => FORBIDDEN,
            (_, 0) => MISMATCH,
            _ => verdicts[lane],
        })
    }

    /// Whether a forecast is asked.
    pub(crate) fn is_by_forecast(&self) -> bool {
        self.heat.is_some()
    }

    /// What a block's rows would have left of what the pod asks for; none where its class does not let it go.
    #[inline]
    pub(crate) fn room(&self, block: usize) -> [f64; LANES] {
        let open = octet(&self.class.permitted, block) & octet(&self.class.possible, block);
        self.room.left(block, slack_of_bits(open))
    }

    /// The same, and what they would have left until they run hot.
    #[inline]
    pub(crate) fn slack(&self, block: usize) -> Slack {
        let room = self.room(block);
        let all = self.heat.as_ref().map_or(room, |heat| heat.left(block, room));
        Slack { room, all }
    }
}

fn asked(amounts: &[f64]) -> Vec<Asked> {
    amounts.iter().enumerate().map(|(resource, &amount)| Asked { resource, amount }).collect()
}

/// The bits of one block of rows; the bitmap's length was checked against the rows.
fn octet(bitmap: &[u64], block: usize) -> u8 {
    (bitmap[block / LANES] >> (block % LANES * LANES)) as u8
}

/// Four bits as vectors take them: no limit where one is set, no room where none is.
const SLACK_BY_BITS: [[f64; LANES / 2]; 16] = {
    let mut slack = [[f64::INFINITY; LANES / 2]; 16];
    let mut place = 0;
    while place < 16 * LANES / 2 {
        let (bits, lane) = (place / (LANES / 2), place % (LANES / 2));
        if bits >> lane & 1 == 0 {
            slack[bits][lane] = f64::NEG_INFINITY;
        }
        place += 1;
    }
    slack
};

#[inline]
fn slack_of_bits(bits: u8) -> [f64; LANES] {
    let [low, high] = [bits & 15, bits >> 4].map(|half| SLACK_BY_BITS[usize::from(half)]);
    [low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]]
}
