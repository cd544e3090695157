//! A child process with a log file, which never outlives the test that started it.
//!
//! Stops exactly the process it started, by its id. It knows nothing of what the process does.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::Endpoint;
use crate::poll::until;

/// `$@` takes over this shell's process id; a watcher beside it holds the pipe from the test and kills it when the pipe
/// closes. So even a test that is itself killed leaves nothing running.
const LEASH: &str = r#"exec 3<&0; { cat <&3 >/dev/null; kill -9 $$ 2>/dev/null; } & exec "$@" 3<&- </dev/null"#;

/// Bytes of memory that a process has in use.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most so far.
    pub peak: u64,
}

/// A running child; dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with `arguments` and `environment` added to this process's own; stdout and stderr are appended to
    /// `folder/name.log`.
    ///
    /// # Errors
    /// The log cannot be written or the shell cannot be started. A program that is missing shows in the log and as an
    /// early exit.
    pub fn start<S: AsRef<std::ffi::OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new("sh")
            .args(["-c", LEASH, name])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds in memory, as the kernel counts it.
    ///
    /// # Errors
    /// It has ended, or the kernel does not say (it is not Linux).
    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let bytes = |key: &str| {
            let amount = status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"));
            let kibibytes: u64 = amount.with_context(|| format!("{} has ended", self.name))?.parse()?;
            anyhow::Ok(kibibytes << 10)
        };
        Ok(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    /// Fails when the process has ended by itself, with the end of its log.
    ///
    /// # Errors
    /// The process is not running any more.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended with {status}; its log ends:\n{}", self.name, self.log_end(20)),
        }
    }

    /// Waits until the process serves `path` at its `endpoint`, a minute at most.
    ///
    /// # Errors
    /// It ends before, or does not serve it in time; the message has the end of its log.
    pub async fn serves(&mut self, endpoint: &Endpoint, path: &str) -> Result<()> {
        let what = format!("{} to serve {path}", self.name);
        until(&what, Duration::from_mins(1), || {
            let checked = self.check();
            async move {
                match checked {
                    Err(ended) => Ok(Some(Err(ended))),
                    Ok(()) => endpoint.get(path).await.map(|_| Some(Ok(()))),
                }
            }
        })
        .await
        .with_context(|| self.log_end(20))?
    }

    /// Kills the process (SIGKILL on Unix) and waits for its end; a process that has ended already is fine.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Lets every other process go first (nice 10), as if this one had a machine of its own.
    ///
    /// # Errors
    /// There is no `renice`, or no such process.
    pub fn step_back(&self) -> Result<()> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id()))?;
        let threads = threads.map(|thread| Ok(thread?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        let status = Command::new("renice").args(["-n", "10", "-p"]).args(threads).stdout(Stdio::null()).status()?;
        anyhow::ensure!(status.success(), "renice of {} ended with {status}", self.name);
        Ok(())
    }

    /// Stops the process where it is (SIGSTOP), until [`Process::resume`]: it lives, and does nothing.
    ///
    /// # Errors
    /// There is no `kill`, or no such process.
    pub fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// As [`Process::pause`].
    pub fn resume(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status().context("cannot run kill")?;
        anyhow::ensure!(status.success(), "kill {signal} of {} failed", self.name);
        Ok(())
    }

    /// The last `lines` lines of what the process wrote.
    #[must_use]
    pub fn log_end(&self, lines: usize) -> String {
        let text = self.log_text();
        let kept: Vec<&str> = text.lines().rev().take(lines).collect();
        kept.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// All that the process wrote, those before it under the same name included.
    #[must_use]
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `N` loopback ports that were free a moment ago, all different.
///
/// # Errors
/// The system has none.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().context("no free port")?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sleeper(folder: &Path) -> Process {
        Process::start("sleeper", Path::new("sh"), ["-c", "echo $$ ready; exec sleep 600"], &[], folder).unwrap()
    }

    fn alive(id: u32) -> bool {
        Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let id = process.id();
        assert!(alive(id));
        assert!(process.memory().unwrap().resident > 0);
        drop(process);
        assert!(!alive(id));
    }

    #[tokio::test]
    async fn the_process_ends_when_the_pipe_from_the_test_closes() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        drop(process.child.stdin.take());
        let ended = crate::poll::until("the sleeper's end", Duration::from_secs(10), || {
            let status = process.child.try_wait();
            async move { Ok(status?) }
        });
        assert!(!ended.await.unwrap().success());
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_named_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut process =
            Process::start("ghost", Path::new("/nowhere/ghost"), [] as [&str; 0], &[], folder.path()).unwrap();
        let message = crate::poll::until("the ghost's end", Duration::from_secs(10), || {
            let checked = process.check().err().map(|failure| failure.to_string());
            async move { Ok(checked) }
        });
        assert!(message.await.unwrap().contains("/nowhere/ghost"));
    }

    #[test]
    fn free_ports_differ() {
        let [a, b, c] = free_ports().unwrap();
        assert!(a != b && b != c && a != c);
    }
}
