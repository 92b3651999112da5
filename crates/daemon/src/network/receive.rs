//! Taking in the body of a request, within limits.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use crate::network::limits::Limits;
use crate::network::room::{Room, SMALL, Share};

/// The whole body of a request with the room it takes, or the status to refuse it with. A length must be given, as the
/// original wants it.
pub async fn body(request: Request<Incoming>, limits: &Limits, room: &Room) -> Result<(Bytes, Share), StatusCode> {
    let length = announced(request.headers())?;
    if length > limits.body_bytes {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = async {
        let share = room.take(length).await;
        Ok((collect(request.into_body(), length, limits).await?, share))
    };
    timeout(limits.whole_body, whole).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

fn announced(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let value = headers.get(CONTENT_LENGTH).ok_or(StatusCode::LENGTH_REQUIRED)?;
    let text = value.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
    match text.parse() {
        Ok(length) => Ok(length),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(usize::MAX),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

async fn collect(mut body: Incoming, length: usize, limits: &Limits) -> Result<Bytes, StatusCode> {
    let mut whole = BytesMut::with_capacity(length.min(SMALL));
    loop {
        match timeout(limits.body, body.frame()).await {
            Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Err(_))) => return Err(StatusCode::BAD_REQUEST),
            Ok(Some(Ok(frame))) => {
                // The HTTP library ends the body at the length that was checked above.
                if let Ok(data) = frame.into_data() {
                    whole.extend_from_slice(&data);
                }
            }
        }
    }
}
