//! What of the benchmark is wanted: parts, sizes, searches, seeds.
//!
//! Promises: an argument that is none of these is an error. Must not know: what parts do.

use std::fmt;

use anyhow::{Result, bail};
use gantry_papers::searches;
use gantry_solver::instances::{GenerateError, GenerateOptions, Instance, generate};

/// Pods and nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) pods: usize,
    pub(crate) nodes: usize,
}

impl Size {
    const fn new(pods: usize, nodes: usize) -> Self {
        Self { pods, nodes }
    }

    fn read(text: &str) -> Option<Self> {
        let (pods, nodes) = text.split_once('x')?;
        Some(Self { pods: pods.parse().ok()?, nodes: nodes.parse().ok()? })
    }

    /// The instance of a seed, of the family with dedicated pools or of the other.
    pub(crate) fn instance(self, seed: u64, pools: bool) -> Result<Instance, GenerateError> {
        generate(self.pods, self.nodes, seed, &GenerateOptions { pools, ..GenerateOptions::default() })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.pods, self.nodes)
    }
}

/// The largest size: where memory is measured.
pub(crate) const LARGEST: Size = Size::new(10_000, 1_000);

/// The sizes of a run.
const SIZES: [Size; 6] =
    [Size::new(20, 5), Size::new(50, 10), Size::new(100, 10), Size::new(500, 50), Size::new(2_000, 200), LARGEST];

/// Seeds from here on, on which nothing was tuned: that was done on seeds 1 to 3.
const FIRST_SEED: u64 = 101;

/// How many of them a default run has, and a full one.
const SEEDS: [u64; 2] = [1, 3];

/// Before the number of seeds, where it is named.
const SEEDS_ARE: &str = "seeds=";

/// What is wanted.
pub(crate) struct Scope {
    pub(crate) sizes: Vec<Size>,
    pub(crate) seeds: Vec<u64>,
    /// Whether it may take long.
    pub(crate) full: bool,
    /// Empty for all.
    parts: Vec<String>,
    /// Empty for all.
    searches: Vec<String>,
}

impl Scope {
    pub(crate) fn read(arguments: &[String], parts: &[&str], full: bool) -> Result<Self> {
        let (mut sizes, mut named, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        let mut seeds = SEEDS[usize::from(full)];
        let searches: Vec<&str> = searches::all().iter().map(|search| search.name).collect();
        for argument in arguments {
            match (Size::read(argument), argument.strip_prefix(SEEDS_ARE).map(str::parse)) {
                (Some(size), _) => sizes.push(size),
                (None, Some(Ok(count @ 1..=1000))) => seeds = count,
                _ if parts.contains(&argument.as_str()) => wanted.push(argument.clone()),
                _ if searches.contains(&argument.as_str()) => named.push(argument.clone()),
                _ => bail!(
                    "no such part, size or search: {argument}; there are {parts:?}, sizes such as 100x10, {searches:?}, \
                     and {SEEDS_ARE}1 to {SEEDS_ARE}1000"
                ),
            }
        }
        if sizes.is_empty() {
            sizes = SIZES.to_vec();
        }
        let seeds = (FIRST_SEED..FIRST_SEED + seeds).collect();
        Ok(Self { sizes, seeds, full, parts: wanted, searches: named })
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    pub(crate) fn wants_search(&self, name: &str) -> bool {
        self.searches.is_empty() || self.searches.iter().any(|wanted| wanted == name)
    }
}
