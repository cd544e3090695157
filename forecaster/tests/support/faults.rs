//! A stand-in for Prometheus that answers as a test wants: what a real one cannot be made to do.
//!
//! One thread accepts, one serves each connection; the port is free again when it is dropped. Knows HTTP/1.1 with
//! `Content-Length` and nothing of queries but how to split them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
}

impl Asked {
    pub fn query(&self) -> &str {
        &self.parameters["query"]
    }

    pub fn number(&self, name: &str) -> i64 {
        self.parameters[name].parse().unwrap()
    }

    /// The times that are asked for.
    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let step = self.number("step") as usize;
        (self.number("start")..=self.number("end")).step_by(step)
    }

    /// Whether it only asks how many series there are.
    pub fn is_count(&self) -> bool {
        self.path.ends_with("/query")
    }
}

/// What is answered.
pub enum Reply {
    /// A status, headers, and a body.
    Full(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
    /// A body that ends before the length that was promised.
    Cut(Vec<u8>),
    /// A body that stops before the length that was promised, on a connection that stays open.
    Stalled(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Silence,
}

impl Reply {
    pub fn json(text: impl Into<String>) -> Self {
        Self::Full(200, vec![("content-type", "application/json")], text.into().into_bytes())
    }

    pub fn status(status: u16) -> Self {
        Self::Full(status, Vec::new(), b"no".to_vec())
    }
}

/// Series of several nodes, with a value as text for each time; none leaves the time out.
pub fn nodes(asked: &Asked, names: &[&str], value: impl Fn(&str, i64) -> Option<String>) -> Reply {
    if asked.is_count() {
        return Reply::json(format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[0,"{}"]}}]}}}}"#,
            names.len()
        ));
    }
    let mut text = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    let mut series = 0;
    for name in names {
        let points: Vec<String> =
            asked.times().filter_map(|at| Some(format!(r#"[{at},"{}"]"#, value(name, at)?))).collect();
        // Prometheus does not list a series without a value.
        if points.is_empty() {
            continue;
        }
        text.push_str(if series > 0 { "," } else { "" });
        write!(text, r#"{{"metric":{{"instance":"{name}:9100"}},"values":[{}]}}"#, points.join(",")).unwrap();
        series += 1;
    }
    text.push_str("]}}");
    Reply::json(text)
}

type Handler = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// A server that answers as it is told.
pub struct Faults {
    address: SocketAddr,
    handler: Arc<Mutex<Handler>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
}

impl Faults {
    pub fn start(handler: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let faults = Self {
            address: listener.local_addr().unwrap(),
            handler: Arc::new(Mutex::new(Box::new(handler))),
            asked: Arc::default(),
            is_over: Arc::default(),
        };
        let (handler, asked, is_over) = (faults.handler.clone(), faults.asked.clone(), faults.is_over.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let (handler, asked) = (handler.clone(), asked.clone());
                thread::spawn(move || drop(serve(&stream, &handler, &asked)));
            }
        });
        faults
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers like this from now on.
    pub fn answer(&self, handler: impl FnMut(&Asked) -> Reply + Send + 'static) {
        *self.handler.lock().unwrap() = Box::new(handler);
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: &TcpStream, handler: &Mutex<Handler>, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    // Head and body are written apart: without this the second waits for the client to acknowledge the first.
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader)? {
        let reply = handler.lock().unwrap()(&asked);
        log.lock().unwrap().push(asked);
        match reply {
            Reply::Full(status, headers, body) => write(stream, status, &headers, &body, body.len())?,
            Reply::Cut(body) => {
                write(stream, 200, &[], &body, body.len() + 1_000)?;
                return stream.shutdown(std::net::Shutdown::Both);
            }
            // Both end when the client gives up and closes.
            Reply::Stalled(body) => {
                write(stream, 200, &[], &body, body.len() + 1_000)?;
                return reader.read(&mut [0]).map(drop);
            }
            Reply::Silence => return reader.read(&mut [0]).map(drop),
        }
    }
    Ok(())
}

fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut asked = Asked { path: line.split(' ').nth(1).unwrap_or_default().to_owned(), ..Asked::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let pairs = form_urlencoded::parse(&body).into_owned();
    asked.parameters = pairs.collect();
    Ok(Some(asked))
}

fn write(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    length: usize,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)
}
