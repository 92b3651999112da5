//! One GET request on a connection of its own.

use std::time::Duration;

use supervisord_config::probe::{HttpProbe, HttpTarget};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::connect::{Reached, Stage, reason};
use super::response_head::ResponseHead;

/// How much of a body is read, so that a server that answers usually can write all of it.
const MOST_BODY: usize = 8 << 10;

/// How long the rest of an answer, which nobody needs, is waited for.
const LEAVE: Duration = Duration::from_secs(1);

const READ_AT_ONCE: usize = 1 << 10;

/// The usual port, which is not named in a request.
const HTTP_PORT: u16 = 80;

/// A connection on which an answer has been read.
pub(super) enum Answered {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Sends the request, and reads the head of the answer. A status from 200 to 399 is a success.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    probe: &HttpProbe,
    stage: &Stage,
) -> Result<(), String> {
    stage.reach(Reached::Connection);
    stream.write_all(request(probe).as_bytes()).await.map_err(reason)?;
    let mut head = ResponseHead::default();
    let mut piece = [0; READ_AT_ONCE];
    loop {
        let length = match stream.read(&mut piece).await.map_err(reason)? {
            0 => return Err("the connection was closed without an answer".to_owned()),
            length => length,
        };
        match head.take(&piece[..length]).map_err(|error| error.to_string())? {
            Some(200..=399) => return Ok(()),
            Some(status) => return Err(format!("HTTP status {status}")),
            None => {}
        }
    }
}

fn request(probe: &HttpProbe) -> String {
    let host = match &probe.server {
        HttpTarget::Tcp(address) => match address.to_string() {
            text if address.port == HTTP_PORT => text.trim_end_matches(":80").to_owned(),
            text => text,
        },
        HttpTarget::Unix(_) => "localhost".to_owned(),
    };
    format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: supervisord/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        probe.path,
        env!("CARGO_PKG_VERSION")
    )
}

/// Reads the beginning of the body, so that a server need not hear of a broken connection.
pub(super) async fn take_leave(stream: Answered) {
    match stream {
        Answered::Tcp(mut stream) => read_body(&mut stream).await,
        Answered::Unix(mut stream) => read_body(&mut stream).await,
    }
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin)) {
    let read = async {
        let mut piece = [0; READ_AT_ONCE];
        let mut taken = 0;
        while let Ok(length @ 1..) = stream.read(&mut piece).await {
            taken += length;
            if taken >= MOST_BODY {
                return;
            }
        }
    };
    // A server that takes its time is left alone.
    let _ = timeout(LEAVE, read).await;
}

#[cfg(test)]
mod tests {
    use supervisord_config::probe::Probe;

    use super::*;

    #[test]
    fn the_request_names_its_host() {
        for (text, line, host) in [
            ("http://[::1]:8080/a?b", "GET /a?b HTTP/1.1", "Host: [::1]:8080"),
            ("http://web", "GET / HTTP/1.1", "Host: web"),
            ("http://unix:/run/s:/up", "GET /up HTTP/1.1", "Host: localhost"),
        ] {
            let Ok(Probe::Http(probe)) = Probe::parse(text) else { panic!("{text} is a URL") };
            let request = request(&probe);
            assert_eq!(request.lines().take(2).collect::<Vec<_>>(), [line, host]);
            assert!(request.ends_with("\r\nConnection: close\r\n\r\n"));
        }
    }
}
