//! A Prometheus on a free port of loopback, with a made-up past.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::history::open_metrics;
use crate::http;
use crate::process::{Process, free_port, installed, until};

/// The whole minute before now, Unix time in seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 / 60 * 60
}

/// A past of a day and two hours that ends at [`Past::end`]; made once for all tests.
pub struct Past {
    folder: TempDir,
    pub end: i64,
}

impl Past {
    pub fn get() -> &'static Self {
        static PAST: OnceLock<Past> = OnceLock::new();
        PAST.get_or_init(|| {
            let past = Self { folder: tempfile::tempdir().unwrap(), end: now() };
            let text = past.folder.path().join("history.om");
            std::fs::write(&text, open_metrics(past.end - 26 * 3_600, past.end)).unwrap();
            // Longer blocks than the default are made five times as fast.
            let made = Command::new(installed("promtool"))
                .args(["tsdb", "create-blocks-from", "--max-block-duration=24h", "--quiet", "openmetrics"])
                .args([&text, &past.blocks()])
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            past
        })
    }

    fn blocks(&self) -> PathBuf {
        self.folder.path().join("tsdb")
    }

    /// A copy for one server, which writes to it.
    fn copy_to(&self, folder: &Path) {
        let copied = Command::new("cp").arg("-r").args([self.blocks(), folder.join("tsdb")]).status().unwrap();
        assert!(copied.success());
    }
}

/// A running server; its data lives as long as this.
pub struct Prometheus {
    pub port: u16,
    process: Option<Process>,
    folder: TempDir,
}

impl Prometheus {
    /// One that runs already, with the past.
    pub fn with_past() -> Self {
        Self::scraping("")
    }

    /// The same, which also scrapes something.
    pub fn scraping(scrape: &str) -> Self {
        let mut prometheus = Self::stopped(scrape);
        Past::get().copy_to(prometheus.folder.path());
        prometheus.run(&[]);
        prometheus
    }

    /// One that does not run yet.
    pub fn stopped(scrape: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{scrape}]\n");
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        Self { port: free_port(), process: None, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it answers: with any status, for it may want a password.
    pub fn run(&mut self, more: &[&str]) {
        let listen = format!("--web.listen-address=127.0.0.1:{}", self.port);
        let fixed = ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--storage.tsdb.retention.time=30d"];
        let arguments: Vec<&str> =
            fixed.iter().chain([&listen.as_str(), &"--log.level=warn"]).chain(more).copied().collect();
        let process = Process::start("prometheus", &installed("prometheus"), &arguments, self.folder.path());
        until("prometheus", || {
            let answer = http::get(&format!("127.0.0.1:{}", self.port), "/-/ready", &[])?;
            (answer.status != 503).then_some(())
        });
        self.process = Some(process);
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }
}
