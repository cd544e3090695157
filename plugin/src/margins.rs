//! How much more every row can take of every resource, ready to be compared with a pod.
//!
//! Promises: eight rows are looked at together, without branches, which compiles to vector instructions and costs a
//! sandbox one check of its deadline. Must not know: what a margin is kept free from.

/// Rows that are looked at together; also the rows of one byte of a bitmap.
pub(crate) const LANES: usize = 8;

/// One margin a row and resource: the largest amount that still fits.
pub(crate) struct Margins {
    resources: usize,
    /// In blocks of [`LANES`] rows; in each, one a resource. Rows past the last have zeros.
    blocks: Vec<[f64; LANES]>,
}

/// What a pod asks for of one resource.
pub(crate) struct Asked {
    pub(crate) resource: usize,
    pub(crate) amount: f64,
}

impl Margins {
    /// `margin` gives the margin of a cell of a row-major matrix.
    pub(crate) fn new(rows: usize, resources: usize, margin: impl Fn(usize) -> f64) -> Self {
        let blocks = vec![[0.0; LANES]; rows.div_ceil(LANES) * resources];
        let mut margins = Self { resources, blocks };
        (0..rows).for_each(|row| margins.set_row(row, &margin));
        margins
    }

    /// Takes one row anew.
    pub(crate) fn set_row(&mut self, row: usize, margin: impl Fn(usize) -> f64) {
        let first = row / LANES * self.resources;
        for (resource, cells) in self.blocks[first..][..self.resources].iter_mut().enumerate() {
            cells[row % LANES] = margin(row * self.resources + resource);
        }
    }

    /// The least that a block's rows would have left of anything asked for, below 0 where it does not fit; no more than
    /// `least`.
    #[inline]
    pub(crate) fn left(&self, block: usize, asked: &[Asked], least: [f64; LANES]) -> [f64; LANES] {
        let cells = &self.blocks[block * self.resources..][..self.resources];
        asked.iter().fold(least, |least, asked| {
            let margins = &cells[asked.resource];
            std::array::from_fn(|lane| smaller(least[lane], margins[lane] - asked.amount))
        })
    }
}

/// Unlike `f64::min` a single instruction, because neither number is NaN.
#[inline]
pub(crate) fn smaller(one: f64, other: f64) -> f64 {
    if other < one { other } else { one }
}
