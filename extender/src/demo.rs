//! What `serve --demo` shows: a captured request and its answers.
//!
//! The answers come over real HTTP from this very process. The only module that
//! writes to standard output: everything else logs. Promises that a reader who goes
//! away (`| head`) ends nothing.

use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::golden::CAPTURED as REQUEST;

/// Where the captured request lies, seen from the repository's root.
const REQUEST_FILE: &str = "extender/src/demo/filter_full_nodes.json";

/// Sends the captured request to the extender at an address, and prints what an admin can do the same with.
pub(crate) async fn show(address: SocketAddr) -> io::Result<()> {
    let filtered = post(address, "/filter").await?;
    let scored = post(address, "/prioritize").await?;
    let text = format!(
        "Gantry's scheduler extender listens on http://{address}\n\n\
         Which of the nodes sent may the captured pod run on? The answer holds them whole; here are their names:\n\n  \
         {}\n\n  {}\n\n\
         How good is each of them, from 0 to 10?\n\n  {}\n\n  {}\n\n\
         Paste either line into another terminal, in the repository's root. Press Ctrl-C here to end.\n",
        curl(address, "/filter"),
        abridged(&filtered)?,
        curl(address, "/prioritize"),
        String::from_utf8_lossy(&scored),
    );
    if let Err(error) = io::stdout().write_all(text.as_bytes()) {
        tracing::debug!(%error, "nobody reads the demonstration");
    }
    Ok(())
}

fn curl(address: SocketAddr, path: &str) -> String {
    format!("curl -s --data @{REQUEST_FILE} http://{address}{path}")
}

/// The answer with each node cut down to its name.
fn abridged(answer: &[u8]) -> io::Result<Value> {
    let mut answer: Value = serde_json::from_slice(answer)?;
    for node in answer["Nodes"]["items"].as_array_mut().into_iter().flatten() {
        *node = json!({ "metadata": { "name": node["metadata"]["name"] } });
    }
    Ok(answer)
}

async fn post(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        REQUEST.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(REQUEST).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the answer has no head"))?;
    if !response.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::new(ErrorKind::InvalidData, String::from_utf8_lossy(&response).into_owned()));
    }
    Ok(response.split_off(end + 4))
}
