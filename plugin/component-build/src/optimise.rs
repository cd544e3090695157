//! Runs Binaryen's `wasm-opt` over a core module, where it is installed.
//!
//! Nothing depends on it, and it gains little beside rustc's own link-time optimisation and SIMD (RATIONALE.md): without it
//! the component answers the same.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::compile::println_to_cargo;

/// Names the program; set to the empty string, nothing is optimised.
const VARIABLE: &str = "GANTRY_WASM_OPT";

/// What rustc emits. All features at once would let it use some that the host's engine refuses.
const FEATURES: [&str; 9] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The optimised module, or the module itself when there is no `wasm-opt`.
pub(crate) fn optimise(module: Vec<u8>) -> Result<Vec<u8>> {
    println_to_cargo(&format!("rerun-if-env-changed={VARIABLE}"));
    match env::var(VARIABLE) {
        Ok(program) if program.is_empty() => Ok(module),
        Ok(program) => run(&program, &module).with_context(|| format!("{VARIABLE}={program}")),
        Err(_) => Ok(run("wasm-opt", &module).unwrap_or(module)),
    }
}

fn run(program: &str, module: &[u8]) -> Result<Vec<u8>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let (input, output) = (out_dir.join("unoptimised.wasm"), out_dir.join("optimised.wasm"));
    let help = Command::new(program).arg("--help").output()?;
    fs::write(&input, module)?;
    let known = String::from_utf8_lossy(&help.stdout);
    let features = FEATURES.iter().filter(|flag| known.contains(**flag));
    let run = Command::new(program).arg("-O3").args(features).arg(&input).arg("-o").arg(&output).output()?;
    if !run.status.success() {
        bail!("it failed: {}", String::from_utf8_lossy(&run.stderr).trim());
    }
    read(&output)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("it left nothing at {}", path.display()))
}
