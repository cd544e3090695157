//! The least HTTP client that can ask a loopback port or a unix socket.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// Asks `host:port` or `unix:path`; none if nobody answers.
pub fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let more = headers.iter().fold(String::new(), |more, (name, value)| format!("{more}{name}: {value}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n");
    match address.strip_prefix("unix:") {
        Some(socket) => ask(UnixStream::connect(socket).ok()?, &request),
        None => ask(TcpStream::connect(address).ok()?, &request),
    }
}

fn ask(mut stream: impl Read + Write, request: &str) -> Option<Answer> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Answer { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() })
}
