//! The extender's binary as a child process, and an HTTP client that measures.
//!
//! The client writes requests by hand: what it measures is the server. It fails on any answer but 200.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream as Blocking},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use gantry_tests::binaries;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    time::{Instant as At, MissedTickBehavior, interval_at},
};

const FULL: &str = include_str!("../../../fixtures/kube-scheduler/filter_full_nodes.json");
const PATIENCE: Duration = Duration::from_mins(1);

/// A running extender; ended when it goes out of scope.
pub(crate) struct Server {
    process: Child,
    file: PathBuf,
    ready_after: Duration,
    pub(crate) extender: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(folder: &Path, config: &Value) -> Result<Self> {
        let binary = binaries::extender()?;
        let file = folder.join("gantry.yaml");
        std::fs::write(&file, config.to_string())?;
        let start = Instant::now();
        let mut process = Command::new(binary)
            .args(["serve", "--log-format", "json", "--config"])
            .arg(&file)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(process.stderr.take().context("the log is piped")?);
        let [extender, admin] = addresses(&mut log)?;
        // Nobody reads on: the pipe must not fill.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let mut answer = [0; 12];
        while &answer != b"HTTP/1.1 200" {
            ensure!(start.elapsed() < PATIENCE, "it does not get ready");
            let mut stream = Blocking::connect(admin)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")?;
            stream.read_exact(&mut answer)?;
        }
        Ok(Self { process, file, ready_after: start.elapsed(), extender, admin })
    }

    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(crate) fn rewrite(&self, config: &Value) -> Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, config.to_string())?;
        Ok(std::fs::rename(new, &self.file)?)
    }

    /// Waits until a line of `/metrics` has reached a value.
    pub(crate) async fn wait_for(&self, line: &str, value: f64) -> Result<()> {
        let start = Instant::now();
        while self.sum_of(line).await? < value {
            ensure!(start.elapsed() < PATIENCE, "{line} does not reach {value}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The sum of the counts on the lines of `/metrics` that hold a text.
    pub(crate) async fn sum_of(&self, text: &str) -> Result<f64> {
        self.sum(|line| line.contains(text) && !line.contains("_bucket") && !line.contains("_sum")).await
    }

    /// The sum of the lines of `/metrics` that hold all of these texts.
    pub(crate) async fn value_of(&self, texts: [&str; 2]) -> Result<f64> {
        self.sum(|line| texts.iter().all(|text| line.contains(text))).await
    }

    async fn sum(&self, counts: impl Fn(&str) -> bool) -> Result<f64> {
        let mut stream = BufStream::new(TcpStream::connect(self.admin).await?);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        stream.flush().await?;
        let page = String::from_utf8(read(&mut stream).await?.1)?;
        let values = page.lines().filter(|line| counts(line));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

fn addresses(log: &mut impl std::io::BufRead) -> Result<[SocketAddr; 2]> {
    let mut line = String::new();
    while !line.contains("\"listening\"") {
        line.clear();
        ensure!(log.read_line(&mut line)? > 0, "it ended before it listened");
    }
    let fields: Value = serde_json::from_str(&line)?;
    let address = |name: &str| fields[name].as_str().context("no address")?.parse().context("no address");
    Ok([address("extender")?, address("admin")?])
}

/// A connection that is kept, and opened anew where the server has closed it.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<BufStream<TcpStream>>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Opens it, to be there for the first request.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        self.stream = Some(self.open().await?);
        Ok(())
    }

    /// Sends a request, and waits for its answer's body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await?,
        };
        stream.write_all(request).await?;
        stream.flush().await?;
        let (head, body) = read(&mut stream).await?;
        self.stream = (!head.to_lowercase().contains("\nconnection: close")).then_some(stream);
        ensure!(!body.is_empty(), "an empty answer");
        Ok(body)
    }

    async fn open(&self) -> Result<BufStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(BufStream::new(stream))
    }
}

/// Sends one kind of request.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    request: Arc<Vec<u8>>,
}

impl Client {
    /// A client that asks for scores of this many nodes, of which the server has heard by then.
    pub(crate) fn new(address: SocketAddr, nodes: usize) -> Result<Self> {
        let mut document: Value = serde_json::from_str(FULL)?;
        let names: Vec<String> = (0..nodes).map(|row| format!("node-{row}")).collect();
        let model = document["Nodes"]["items"][0].clone();
        let node = |name: &String| {
            let mut node = model.clone();
            node["metadata"]["name"] = json!(name);
            node
        };
        document["Nodes"]["items"] = names.iter().map(node).collect();
        let mut stream = BufReader::new(Blocking::connect(address)?);
        stream.get_mut().write_all(&request("/prioritize", document.to_string().as_bytes()))?;
        let mut status = String::new();
        stream.read_line(&mut status)?;
        ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
        document["Nodes"] = Value::Null;
        document["NodeNames"] = json!(names);
        Ok(Self { address, request: Arc::new(request("/prioritize", document.to_string().as_bytes())) })
    }

    /// One request after the other on one connection.
    pub(crate) async fn one_by_one(&self, count: usize) -> Result<Vec<Duration>> {
        let mut connection = Connection::to(self.address);
        let mut times = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            connection.ask(&self.request).await?;
            times.push(start.elapsed());
        }
        Ok(times)
    }

    /// So many requests a second for a while. One that is due while its connection is busy waits, and its time counts from
    /// when it was due.
    pub(crate) async fn load(&self, rate: usize, connections: usize, length: Duration) -> Result<Vec<Duration>> {
        let pause = Duration::from_secs(1) * connections as u32 / rate as u32;
        let begin = At::now();
        let lane = |number: usize| {
            let client = self.clone();
            tokio::spawn(async move {
                let mut connection = Connection::to(client.address);
                let mut times = Vec::new();
                let mut due = interval_at(begin + pause * number as u32 / connections as u32, pause);
                due.set_missed_tick_behavior(MissedTickBehavior::Burst);
                while begin.elapsed() < length {
                    let at = due.tick().await;
                    connection.ask(&client.request).await?;
                    times.push(at.elapsed());
                }
                anyhow::Ok(times)
            })
        };
        let lanes: Vec<_> = (0..connections).map(lane).collect();
        let mut times = Vec::new();
        for lane in lanes {
            times.extend(lane.await??);
        }
        Ok(times)
    }
}

/// What a client writes.
pub(crate) fn request(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// One answer with a content length: its head and its body.
async fn read(stream: &mut BufStream<TcpStream>) -> Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "closed in the head: {head}");
    }
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{head}");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.context("no length")?];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}
