//! Somebody at a browser that keeps its connection: many requests in a row, and each answer with its head and its bytes as they came.
//!
//! `curl` shows that a stranger's client gets along; this one is for thousands of requests, and for being cut off in the middle of one.

use crate::mqtt::{connect_tls, tls};
use crate::signin::Browser;
use crate::support::Server;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

type Wire = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// An answer, byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The word of a refusal.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

/// A signed-in person, or nobody.
pub(crate) struct Visitor {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    agent: &'static str,
    cookies: BTreeMap<String, String>,
    wire: Option<Wire>,
    /// The head of the last answer, also of one whose body broke off.
    pub(crate) head: Option<Reply>,
}

impl Visitor {
    /// Nobody.
    pub(crate) fn nobody(server: &Server) -> Self {
        Self::of(&Browser::new(server))
    }

    /// Whoever sits at `browser`, which must not be used any more: its cookie changes here.
    pub(crate) fn of(browser: &Browser<'_>) -> Self {
        let server = browser.server;
        let (tls, cookies) = (tls(&server.root, None), browser.cookies.clone());
        Self { address: server.https, tls, agent: browser.agent, cookies, wire: None, head: None }
    }

    fn origin(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Puts a request on the wire.
    pub(crate) fn say(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> io::Result<()> {
        let origin = self.origin();
        let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\n", &origin[8..], self.agent);
        head += &format!("Origin: {origin}\r\n");
        if !jar.is_empty() {
            head += &format!("Cookie: {}\r\n", jar.join("; "));
        }
        more.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        if !body.is_empty() || method != "GET" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let whole = format!("{head}\r\n{body}");
        let wire = match &mut self.wire {
            Some(wire) => wire,
            None => self.wire.insert(BufReader::new(connect_tls(self.address, self.tls.clone())?)),
        };
        wire.get_mut().write_all(whole.as_bytes())?;
        wire.get_mut().flush()
    }

    /// Reads the answer to what was said last.
    pub(crate) fn hear(&mut self, method: &str) -> io::Result<Reply> {
        self.head = None;
        let wire = self.wire.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut reply = head(wire)?;
        self.head = Some(reply.clone());
        for (name, value) in &reply.headers {
            if name == "set-cookie" {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                if value.is_empty() {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        if reply.status == 101 {
            // Another protocol follows, which nobody here speaks.
            self.wire = None;
            return Ok(reply);
        }
        if method != "HEAD" && !matches!(reply.status, 204 | 304) {
            reply.body = body(wire, &reply)?;
        }
        if reply.header("connection") == Some("close") {
            self.wire = None;
        }
        Ok(reply)
    }

    /// Leaves in the middle of whatever is under way.
    pub(crate) fn hang_up(&mut self) {
        self.wire = None;
    }

    /// One request and its answer. A connection the server had closed meanwhile is opened anew.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> io::Result<Reply> {
        let kept = self.wire.is_some();
        let done = self.say(method, path, more, body).and_then(|()| self.hear(method));
        if done.is_err() {
            self.wire = None;
            if kept && self.head.is_none() {
                let done = self.say(method, path, more, body).and_then(|()| self.hear(method));
                if done.is_err() {
                    self.wire = None;
                }
                return done;
            }
        }
        done
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", &format!("/api/v1{path}"), &[], None).unwrap()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        self.ask(method, &format!("/api/v1{path}"), &[], Some(body)).unwrap()
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, body)
    }

    /// The answer to a request that must succeed.
    pub(crate) fn done(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let reply = if method == "GET" { self.get(path) } else { self.send(method, path, body) };
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.json());
        reply.json()
    }
}

fn line(wire: &mut Wire) -> io::Result<String> {
    let mut line = String::new();
    if wire.read_line(&mut line)? == 0 || !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn head(wire: &mut Wire) -> io::Result<Reply> {
    let first = line(wire)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no answer: {first}")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(wire)?;
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => return Ok(Reply { status, headers, body: Vec::new() }),
        }
    }
}

fn body(wire: &mut Wire, reply: &Reply) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = reply.header("content-length").and_then(|length| length.parse().ok()) {
        body.resize(length, 0);
        wire.read_exact(&mut body)?;
        return Ok(body);
    }
    if reply.header("transfer-encoding") != Some("chunked") {
        wire.read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        let length = usize::from_str_radix(line(wire)?.split(';').next().unwrap_or_default(), 16);
        let length = length.map_err(|_| io::Error::other("a chunk without a length"))?;
        let mut chunk = vec![0; length + 2];
        wire.read_exact(&mut chunk)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
