//! What of the benchmark is wanted: parts, sizes, seeds.
//!
//! Promises: an argument that is neither a part nor a size is an error. Must not know: what parts do.

use std::fmt;

use anyhow::{Result, bail};
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

/// The sizes of a default run. A full one has 50 × 10 too.
const SIZES: [Size; 5] = [Size::new(20, 5), Size::new(100, 10), Size::new(500, 50), Size::new(2_000, 200), LARGEST];

/// Seeds on which nothing was tuned: that was done on seeds 1 to 3. A default run has the first only.
const SEEDS: [u64; 3] = [101, 102, 103];

/// What is wanted.
pub(crate) struct Scope {
    pub(crate) sizes: Vec<Size>,
    pub(crate) seeds: Vec<u64>,
    /// Whether it may take long.
    pub(crate) full: bool,
    /// Empty for all.
    parts: Vec<String>,
}

impl Scope {
    pub(crate) fn read(arguments: &[String], known: &[&str], full: bool) -> Result<Self> {
        let seeds = if full { SEEDS.to_vec() } else { vec![SEEDS[0]] };
        let mut scope = Self { sizes: Vec::new(), seeds, full, parts: Vec::new() };
        for argument in arguments {
            match Size::read(argument) {
                Some(size) => scope.sizes.push(size),
                None if known.contains(&argument.as_str()) => scope.parts.push(argument.clone()),
                None => bail!("no such part or size: {argument}; there are {known:?} and sizes such as 100x10"),
            }
        }
        if scope.sizes.is_empty() {
            scope.sizes = SIZES.to_vec();
            if full {
                scope.sizes.insert(1, Size::new(50, 10));
            }
        }
        Ok(scope)
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}
