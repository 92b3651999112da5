//! The head of an HTTP response, as far as a probe needs it: the status, and where the head ends.

use std::fmt;

/// The longest head, in bytes, interim responses included.
const MOST: usize = 16 << 10;

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// The bytes are no HTTP/1 response.
    NotHttp,
    /// It does not end.
    TooLong,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::NotHttp => f.write_str("the answer is no HTTP/1 response"),
            HeadError::TooLong => write!(f, "the head of the answer is longer than {} KiB", MOST >> 10),
        }
    }
}

/// Reads a head piece by piece.
#[derive(Debug, Default)]
pub(super) struct ResponseHead {
    taken: usize,
    line: Vec<u8>,
    status: Option<u16>,
}

impl ResponseHead {
    /// Takes the next bytes. The status of the response once its head is complete; interim responses (1xx) are passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<u16>, HeadError> {
        for byte in bytes {
            self.taken += 1;
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.status.is_none() && !may_be_status_line(&self.line) {
                    return Err(HeadError::NotHttp);
                }
            } else if let Some(status) = self.end_line()? {
                return Ok(Some(status));
            }
            if self.taken > MOST {
                return Err(HeadError::TooLong);
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Result<Option<u16>, HeadError> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let finished = match self.status {
            None => {
                self.status = Some(status(line).ok_or(HeadError::NotHttp)?);
                None
            }
            Some(status) if line.is_empty() => {
                if (100..200).contains(&status) && status != 101 {
                    self.status = None;
                    None
                } else {
                    Some(status)
                }
            }
            Some(_) => None,
        };
        self.line.clear();
        Ok(finished)
    }
}

const VERSION: &[u8] = b"HTTP/1.";

fn may_be_status_line(line: &[u8]) -> bool {
    let length = line.len().min(VERSION.len());
    line[..length] == VERSION[..length]
}

/// The status of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let [minor, b' ', rest @ ..] = line.strip_prefix(VERSION)? else { return None };
    let (digits, after) = rest.split_at_checked(3)?;
    let is_form = minor.is_ascii_digit() && digits.iter().all(u8::is_ascii_digit) && matches!(after, [] | [b' ', ..]);
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (is_form && status >= 100).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<u16>, HeadError> {
        ResponseHead::default().take(text.as_bytes())
    }

    #[test]
    fn the_status_is_known_at_the_end_of_the_head() {
        assert_eq!(of("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), Ok(Some(200)));
        assert_eq!(of("HTTP/1.0 503\n\n"), Ok(Some(503)));
        assert_eq!(of("HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
        assert_eq!(of("HTTP/1.1 101 Switching\r\n\r\n"), Ok(Some(101)));
    }

    #[test]
    fn it_may_come_in_any_pieces() {
        let mut head = ResponseHead::default();
        let text = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        let (last, before) = text.split_last().unwrap();
        for byte in before {
            assert_eq!(head.take(&[*byte]), Ok(None));
        }
        assert_eq!(head.take(&[*last]), Ok(Some(204)));
    }

    #[test]
    fn what_is_no_response_is_told_at_once() {
        for text in
            ["SSH-2.0-x", "HTTP/2 200\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 200OK\n", "HTTP/1.1 099 \n", "\r\n"]
        {
            assert_eq!(of(text), Err(HeadError::NotHttp), "{text}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_given_up() {
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(MOST / 6));
        assert_eq!(of(&endless), Err(HeadError::TooLong));
        assert_eq!(of(&format!("HTTP/1.1 200 {}", "O".repeat(MOST))), Err(HeadError::TooLong));
        assert_eq!(of(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(MOST / 25 + 1)), Err(HeadError::TooLong));
    }
}
