//! Problem details (RFC 9457): how the JSON API says why it refuses something.

use http_body_util::{BodyExt, Limited};
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use super::error::ClientError;

/// How much of a refusal is read, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// A refusal whose text has not been read.
pub(super) struct ProblemHead {
    code: u16,
}

/// The refusal that an answer is; none where it is something else, or where there is nothing to say but that credentials are
/// missing.
pub(super) fn problem(response: &Response<Incoming>) -> Option<ProblemHead> {
    let media = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let code = response.status().as_u16();
    (media.starts_with("application/problem+json") && code != 401).then_some(ProblemHead { code })
}

impl ProblemHead {
    /// The error with what its text says.
    pub(super) async fn read(self, body: Incoming) -> ClientError {
        let text = Limited::new(body, MAX_BYTES).collect().await.map(|collected| collected.to_bytes());
        let details: Value = text.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let member = |name: &str| details.get(name).and_then(Value::as_str);
        let detail = member("detail").or_else(|| member("title")).unwrap_or("it does not say why").to_owned();
        ClientError::Refused { code: self.code, detail }
    }
}
