//! The real `gantry-forecaster` binary as a child process, with a configuration file of the test's making.
//!
//! Knows its documented outside only: configuration, socket, file, admin endpoints.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::binaries;
use crate::http::Endpoint;
use crate::process::{Process, free_ports};

/// A sidecar that may run; dropping it kills it.
#[derive(Debug)]
pub struct Forecaster {
    process: Option<Process>,
    admin: String,
    folder: PathBuf,
}

impl Forecaster {
    /// A sidecar with a socket, a file and a configuration of its own below `folder`, that does not run yet. It may stand
    /// in an extender's configuration before there is a Prometheus.
    ///
    /// # Errors
    /// It does not build, or the folder cannot be written.
    pub fn stopped(folder: &Path) -> Result<Self> {
        let folder = folder.join("forecaster");
        std::fs::create_dir(&folder)?;
        // Now, as data may grow old while it is built.
        binaries::forecaster()?;
        let [port] = free_ports::<1>()?;
        Ok(Self { process: None, admin: format!("127.0.0.1:{port}"), folder })
    }

    /// The section `forecasts` of an extender's configuration.
    #[must_use]
    pub fn section(&self) -> Value {
        json!({"from": self.listen(), "file": self.folder.join("forecasts.json"), "poll": "1s"})
    }

    fn listen(&self) -> String {
        format!("unix:{}", self.folder.join("forecasts.sock").display())
    }

    /// Starts it on a Prometheus, and waits until it serves a snapshot. The shortest rates and steps there are, and no
    /// LSTM: a test has no time to train one.
    ///
    /// # Errors
    /// It ends, or has no snapshot in time; the message has the end of its log.
    pub async fn start(&mut self, prometheus: &str) -> Result<()> {
        let config = json!({
            "apiVersion": "gantry.dev/v1alpha1",
            "kind": "ForecasterConfiguration",
            "server": {"listen": self.listen(), "admin": self.admin},
            "prometheus": {"url": prometheus},
            "defaultQueries": ["node_cpu", "node_memory"],
            "variables": {"window": "15s"},
            "schedule": {"tick": "1s", "resolution": "5s", "history": "2h"},
            "model": {"lstm": false},
            "store": {"folder": self.folder},
        });
        std::fs::write(self.folder.join("forecaster.yaml"), config.to_string())?;
        self.restart().await
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again with the same configuration, and waits until it serves a snapshot.
    ///
    /// # Errors
    /// As [`Forecaster::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let arguments = ["serve", "--config", "forecaster.yaml"];
        let mut process = Process::start("gantry-forecaster", binaries::forecaster()?, arguments, &[], &self.folder)?;
        process.serves(&Endpoint::plain(&self.admin)?, "/readyz").await?;
        self.process = Some(process);
        Ok(())
    }

    /// The end of its log.
    #[must_use]
    pub fn log_end(&self, lines: usize) -> String {
        self.process.as_ref().map(|process| process.log_end(lines)).unwrap_or_default()
    }
}
