//! A plain HTTP client that hides nothing: status, headers and body exactly as received.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::wait;

/// A connection to a server.
pub trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Connects to a unix socket.
pub fn unix(path: &Path) -> io::Result<Box<dyn Stream>> {
    let stream = uninterrupted(|| UnixStream::connect(path))?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    Ok(Box::new(stream))
}

/// Connects to a port of the loopback interface.
pub fn tcp(port: u16) -> io::Result<Box<dyn Stream>> {
    let stream = uninterrupted(|| TcpStream::connect(("127.0.0.1", port)))?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    Ok(Box::new(stream))
}

fn uninterrupted_read(stream: &mut dyn Stream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Repeats a call that a signal interrupted.
fn uninterrupted<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status line, such as `HTTP/1.1 200 OK`.
    pub status_line: String,
    /// Headers as received, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The number in the status line.
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request and reads one response. `headers` are whole lines without line ends.
pub fn request(stream: &mut dyn Stream, verb: &str, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Response> {
    let mut head = format!("{verb} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        head.push_str("Host: localhost\r\n");
    }
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())?;
    response(stream)
}

/// Reads one response.
pub fn response(stream: &mut dyn Stream) -> io::Result<Response> {
    let mut response = head(stream)?;
    if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        while let Some(piece) = chunk(stream)? {
            response.body.extend(piece);
        }
    } else if let Some(length) = response.header("content-length").and_then(|length| length.parse().ok()) {
        response.body = vec![0; length];
        stream.read_exact(&mut response.body)?;
    }
    Ok(response)
}

/// Reads a response up to its body.
pub fn head(stream: &mut dyn Stream) -> io::Result<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if uninterrupted_read(stream, &mut byte)? == 0 {
            let seen = String::from_utf8_lossy(&head).into_owned();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the server hung up after {seen:?}")));
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let status_line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Response { status_line, headers, body: Vec::new() })
}

/// Reads one chunk of a chunked body; none at its end.
pub fn chunk(stream: &mut dyn Stream) -> io::Result<Option<Vec<u8>>> {
    let mut size = Vec::new();
    while !size.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        size.push(byte[0]);
    }
    let size = String::from_utf8_lossy(&size).trim().to_owned();
    let size = usize::from_str_radix(&size, 16)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("bad chunk size {size:?}")))?;
    let mut piece = vec![0; size + 2];
    stream.read_exact(&mut piece)?;
    piece.truncate(size);
    Ok((size > 0).then_some(piece))
}

/// `Authorization: Basic …` for a user and a password.
pub fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let sextet = (bits >> (18 - 6 * position) & 63) as usize;
            text.push(if position <= group.len() { ALPHABET[sextet] as char } else { '=' });
        }
    }
    text
}
