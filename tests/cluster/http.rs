//! Calls over a connection that is kept, with a deadline, and without any retries.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One client's connection to one node.
pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    patience: Duration,
}

/// Reasons why there is no answer.
#[derive(Debug)]
pub enum Lost {
    /// The request did not reach the node.
    NotSent,
    /// The node may have acted.
    Unknown,
}

impl Connection {
    pub fn new(address: SocketAddr, patience: Duration) -> Self {
        Self {
            address,
            stream: None,
            patience,
        }
    }

    /// Sends a request; returns status and body.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), Lost> {
        let fresh = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().map_err(|_| Lost::NotSent)?,
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: test\r\nX-Vault-Token: {token}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = fresh;
        let written = stream.get_mut().write_all(request.as_bytes());
        written.map_err(|_| Lost::Unknown)?;
        let (answer, keeps) = read(&mut stream).ok_or(Lost::Unknown)?;
        if keeps {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn connect(&self) -> std::io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<((u16, Value), bool)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let (mut size, mut keeps) = (0, true);
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => size = value.trim().parse().ok()?,
            "connection" => keeps = !value.contains("close"),
            _ => {}
        }
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(((status, body), keeps))
}
