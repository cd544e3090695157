//! Debian's Prometheus on loopback, with a past that promtool wrote into its storage.
//!
//! Knows blocks and scrapes; must not know what is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::http::Endpoint;
use crate::process::{Process, free_ports};

/// A running Prometheus; dropping it kills it.
#[derive(Debug)]
pub struct Prometheus {
    process: Option<Process>,
    address: String,
    folder: PathBuf,
}

impl Prometheus {
    /// Writes `past` (`OpenMetrics` text) into a new storage below `folder`, and starts Prometheus on it. What serves at
    /// `exporter` is scraped every second from then on, its own labels kept.
    ///
    /// # Errors
    /// The programs are not installed, promtool refuses the past, or Prometheus does not get ready.
    pub async fn start(folder: &Path, past: &str, exporter: Option<&str>) -> Result<Self> {
        let folder = folder.join("prometheus");
        std::fs::create_dir(&folder)?;
        write_blocks(&folder, past)?;
        let scrape = exporter.map_or(String::new(), |address| {
            format!("{{job_name: usage, honor_labels: true, static_configs: [{{targets: ['{address}']}}]}}")
        });
        let config = format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{scrape}]\n");
        std::fs::write(folder.join("prometheus.yml"), config)?;
        let [port] = free_ports::<1>()?;
        let mut prometheus = Self { process: None, address: format!("127.0.0.1:{port}"), folder };
        prometheus.restart().await?;
        Ok(prometheus)
    }

    /// Starts it again on what it has stored, and waits until it answers.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let listen = format!("--web.listen-address={}", self.address);
        let arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--log.level=warn", &listen];
        let mut process = Process::start("prometheus", &installed("prometheus")?, arguments, &[], &self.folder)?;
        process.serves(&Endpoint::plain(&self.address)?, "/-/ready").await?;
        self.process = Some(process);
        Ok(())
    }

    /// Its address for whoever queries it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }
}

fn write_blocks(folder: &Path, past: &str) -> Result<()> {
    let text = folder.join("past.om");
    std::fs::write(&text, past)?;
    let made = Command::new(installed("promtool")?)
        .args(["tsdb", "create-blocks-from", "--max-block-duration=24h", "--quiet", "openmetrics"])
        .args([&text, &folder.join("tsdb")])
        .output()?;
    ensure!(made.status.success(), "promtool refuses the past:\n{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// A program of the system's packages.
fn installed(name: &str) -> Result<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not installed: run `scripts/setup.sh test`"))
}
