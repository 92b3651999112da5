//! Receives the body of a request, within limits.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, StatusCode};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::memory_budget::{MemoryBudget, Reservation, SMALL};
use crate::network::limits::Limits;

/// The status where the system has no memory for the body.
const NO_MEMORY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// The whole body of a request with the memory reserved for it, or the status of the refusal. Either a length must be given, as
/// the original wants it, or the body comes in chunks.
pub async fn receive(
    request: Request<Incoming>,
    limits: &Limits,
    budget: &MemoryBudget,
) -> Result<(Bytes, Reservation), StatusCode> {
    let size = announced(request.headers())?;
    if size.is_some_and(|size| size > limits.body_bytes) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = collect(request.into_body(), size, limits, budget);
    timeout(limits.whole_body, whole).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

/// The same for a request that need not have a body.
pub async fn receive_any(
    request: Request<Incoming>,
    limits: &Limits,
    budget: &MemoryBudget,
) -> Result<(Bytes, Reservation), StatusCode> {
    let headers = request.headers();
    match headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        true => receive(request, limits, budget).await,
        false => Ok((Bytes::new(), budget.nothing())),
    }
}

/// The length of the body; none of one in chunks.
fn announced(headers: &HeaderMap) -> Result<Option<usize>, StatusCode> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => length(headers).map(Some),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(None),
        _ => Err(StatusCode::NOT_IMPLEMENTED),
    }
}

fn length(headers: &HeaderMap) -> Result<usize, StatusCode> {
    let value = headers.get(CONTENT_LENGTH).ok_or(StatusCode::LENGTH_REQUIRED)?;
    let text = value.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
    match text.parse() {
        Ok(length) => Ok(length),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(usize::MAX),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

async fn collect(
    mut body: Incoming,
    size: Option<usize>,
    limits: &Limits,
    budget: &MemoryBudget,
) -> Result<(Bytes, Reservation), StatusCode> {
    let mut reservation = budget.reserve(size.unwrap_or_default()).await.ok_or(NO_MEMORY)?;
    let begun = Instant::now();
    let mut whole = Vec::new();
    whole.try_reserve_exact(size.unwrap_or(SMALL)).map_err(|_| NO_MEMORY)?;
    loop {
        let is_large = reservation.bytes() > 0;
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = sleep(limits.body) => return Err(StatusCode::REQUEST_TIMEOUT),
            () = in_demand(budget, begun, limits), if is_large => return Err(StatusCode::REQUEST_TIMEOUT),
        };
        match frame {
            None => break,
            Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
            Some(Ok(frame)) => {
                // Trailers mean nothing to us.
                let Ok(data) = frame.into_data() else { continue };
                let length = whole.len() + data.len();
                if size.is_none() {
                    if length > limits.body_bytes {
                        return Err(StatusCode::PAYLOAD_TOO_LARGE);
                    }
                    // At once what it may become: whoever held a part while waiting for more would keep others waiting.
                    if length > SMALL && reservation.bytes() == 0 {
                        reservation = budget.reserve(limits.body_bytes).await.ok_or(NO_MEMORY)?;
                    }
                }
                whole.try_reserve(data.len()).map_err(|_| NO_MEMORY)?;
                whole.extend_from_slice(&data);
            }
        }
    }
    if size.is_none() {
        reservation.settle(whole.len());
    }
    Ok((whole.into(), reservation))
}

/// Returns when others wait for the memory of a body, and it has stood still since this was called, or taken altogether, for longer
/// than it may then.
async fn in_demand(budget: &MemoryBudget, begun: Instant, limits: &Limits) {
    let end = (Instant::now() + limits.body_in_demand).min(begun + limits.whole_body_in_demand);
    sleep_until(end).await;
    budget.wanted().await;
}
