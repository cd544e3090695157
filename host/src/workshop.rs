//! Compiles components in a child process, which can be stopped.
//!
//! ```text
//!  Workshop::compile ── length, component ──► compile_for_parent (the same program again)
//!        │  looks every few milliseconds:          │ cranelift
//!        │  out of time? out of memory? kill       ▼
//!        └───────── sealed artefact, or a refusal in words
//! ```
//!
//! The engine calls it no fault of its own when a component takes minutes and gigabytes to compile. A thread that does so
//! cannot be ended, a process can. It promises that compiling ends within the time and memory given, give or take a look,
//! whatever the component; that the process that serves is never the one that dies of it; and that no child outlives its
//! parent. The child has no environment, no arguments but its task, and half of the cores.
//!
//! It must not know where a component comes from, nor what is done with the artefact.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cache;
use crate::compile;
use crate::component::{Digest, MAX_BYTES};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::limits::half_of_the_cores;

/// How often the parent looks at the child.
const LOOK: Duration = Duration::from_millis(5);

/// The child's exit code for a component that does not compile; its words are on standard error.
const REFUSED: u8 = 3;

/// How much of the child's words is kept.
const WORDS: u64 = 4 << 10;

/// What compiling one component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Default 1 minute; interpreters of other languages take some ten seconds.
    pub time: Duration,
    /// Bytes of memory resident at once. Default 512 MiB.
    pub memory: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { time: Duration::from_mins(1), memory: 512 << 20 }
    }
}

/// Why a child left no artefact, where the component need not be at fault.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The time was over.
    #[error("compiling it took longer than the {limit:?} allowed")]
    Timeout {
        /// The time allowed.
        limit: Duration,
    },
    /// It held more memory than allowed.
    #[error("compiling it took more than the {limit} bytes of memory allowed")]
    Memory {
        /// The bytes allowed.
        limit: usize,
    },
    /// The compiler ended without an answer: a panic, a signal, or bytes that are no artefact.
    #[error("the compiler crashed ({status}){words}")]
    Crashed {
        /// How it ended.
        status: ExitStatus,
        /// What it said last.
        words: String,
    },
    /// The system has no process, thread or pipe for it.
    #[error("the compiler could not be started")]
    Unstartable(#[source] io::Error),
}

/// A program that compiles when it is started in a certain way, and what it may use.
#[derive(Clone, Debug)]
pub struct Workshop {
    program: PathBuf,
    argument: &'static str,
    limits: CompileLimits,
}

/// What is left of a child.
struct Ended {
    status: ExitStatus,
    answer: Vec<u8>,
    words: Vec<u8>,
}

impl Workshop {
    /// A workshop whose child is `program`, started with `argument`, upon which it calls [`compile_for_parent`]. It must be
    /// the same build as this process.
    #[must_use]
    pub fn new(program: PathBuf, argument: &'static str, limits: CompileLimits) -> Self {
        Self { program, argument, limits }
    }

    /// The artefact under `key`, sealed by the child and with a seal that is right.
    pub(crate) fn compile(&self, bytes: &[u8], key: &str) -> Result<Vec<u8>, LoadError> {
        let Ended { status, answer, words } = self.run(bytes)?;
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        if status.code() == Some(REFUSED.into()) {
            return Err(LoadError::Invalid(words.into()));
        }
        let artefact = cache::unseal(key, answer).filter(|_| status.success());
        artefact.ok_or_else(|| {
            let words = if words.is_empty() { words } else { format!(": {words}") };
            CompileError::Crashed { status, words }.into()
        })
    }

    fn run(&self, bytes: &[u8]) -> Result<Ended, CompileError> {
        let mut child = self.start().map_err(CompileError::Unstartable)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            // The pipe stays open until the child has ended: that is how a child knows that its parent lives.
            let feeder = scope.spawn(|| stdin.map(|stdin| feed(stdin, bytes)));
            let answer = scope.spawn(|| read(stdout, self.limits.memory as u64));
            let words = scope.spawn(|| read(stderr, WORDS));
            let status = self.watch(&mut child);
            drop(feeder.join());
            let [answer, words] = [answer, words].map(|pipe| pipe.join().unwrap_or_default());
            Ok(Ended { status: status?, answer, words })
        })
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg(self.argument)
            .env_clear()
            // The engine compiles functions side by side; requests that are served meanwhile need cores too.
            .env("RAYON_NUM_THREADS", half_of_the_cores().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// Waits for the child's end, or brings it about.
    fn watch(&self, child: &mut Child) -> Result<ExitStatus, CompileError> {
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(CompileError::Unstartable)? {
                return Ok(status);
            }
            if let Some(error) = self.exceeded(child.id(), started) {
                // An error means that it has ended by itself just now.
                drop(child.kill());
                drop(child.wait());
                return Err(error);
            }
            thread::sleep(LOOK);
        }
    }

    fn exceeded(&self, process: u32, started: Instant) -> Option<CompileError> {
        let CompileLimits { time, memory } = self.limits;
        if started.elapsed() >= time {
            return Some(CompileError::Timeout { limit: time });
        }
        (most_memory(process)? > memory).then_some(CompileError::Memory { limit: memory })
    }
}

/// A child that ends early breaks the pipe; why it did is told by its exit code.
fn feed(mut stdin: ChildStdin, bytes: &[u8]) -> ChildStdin {
    let sent = stdin.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| stdin.write_all(bytes));
    if let Err(error) = sent {
        tracing::debug!(%error, "the compiler did not read its component");
    }
    stdin
}

/// All that comes, of which the first `limit` bytes are kept.
fn read(pipe: Option<impl Read>, limit: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        let read = pipe.by_ref().take(limit).read_to_end(&mut kept).and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        if let Err(error) = read {
            tracing::debug!(%error, "the compiler's answer broke off");
        }
    }
    kept
}

/// The most bytes that a process has ever held resident; `None` where the system does not tell, or it has just ended.
///
/// Looked at from outside: a limit of address space (`RLIMIT_AS`) would count what threads and allocators reserve and
/// never touch, and would end as an abort that looks like a crash.
fn most_memory(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024)
}

/// The child's side: compiles the component on standard input and leaves the artefact on standard output.
///
/// To be called before any thread is started, in a process that does nothing else.
#[must_use]
pub fn compile_for_parent() -> ExitCode {
    // Where the machine's memory runs out the system takes this process, not the one that serves.
    drop(fs::write("/proc/self/oom_score_adj", "1000"));
    let answer = receive().and_then(|bytes| {
        end_with_the_parent()?;
        Ok(sealed_artefact(&bytes))
    });
    let sent = match answer {
        Ok(Ok(sealed)) => send(&sealed).map(|()| ExitCode::SUCCESS),
        Ok(Err(error)) => writeln!(io::stderr(), "{}", source_of(&error)).map(|()| ExitCode::from(REFUSED)),
        Err(error) => Err(error),
    };
    sent.unwrap_or(ExitCode::FAILURE)
}

fn send(sealed: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(sealed).and_then(|()| stdout.flush())
}

fn receive() -> io::Result<Vec<u8>> {
    let mut length = [0; size_of::<u64>()];
    let mut stdin = io::stdin().lock();
    stdin.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length).min(MAX_BYTES as u64);
    let mut bytes = vec![0; length as usize];
    stdin.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Standard input ends when the parent does.
#[expect(clippy::exit, reason = "another thread compiles, and nothing but the end of the process ends it")]
fn end_with_the_parent() -> io::Result<()> {
    let wait = || {
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        std::process::exit(1);
    };
    thread::Builder::new().name("gantry-parent".into()).spawn(wait).map(drop)
}

fn sealed_artefact(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    let engine = Engine::new()?;
    let component = compile::compile_here(&engine, bytes)?;
    let artefact = component.serialize().map_err(|error| LoadError::Engine(error.into()))?;
    Ok(cache::seal(&compile::key(&engine, &Digest::of(bytes)), &artefact))
}

/// The parent says itself that the bytes are no valid component; the child says why.
fn source_of(error: &LoadError) -> String {
    match error {
        LoadError::Invalid(source) => format!("{source:#}"),
        other => other.to_string(),
    }
}
