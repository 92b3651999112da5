//! The files that come with the daemon: style, images and script of the web page. Those of our own are compressed in the program
//! (`build.rs`), and sent so to browsers that accept it.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::GzDecoder;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, LAST_MODIFIED,
    LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
};

use crate::network::reply::Reply;

struct Asset {
    path: &'static str,
    kind: &'static str,
    content: AssetContent,
}

enum AssetContent {
    Plain(&'static [u8]),
    /// By gzip.
    Compressed(&'static [u8]),
}

macro_rules! assets {
    ($($path:literal $kind:literal)* ui: $($name:literal $ui_kind:literal)*) => {
        &[
            $(Asset {
                path: concat!("/", $path),
                kind: $kind,
                content: AssetContent::Plain(include_bytes!(concat!("../../assets/", $path))),
            },)*
            $(Asset {
                path: concat!("/ui/", $name),
                kind: $ui_kind,
                content: AssetContent::Compressed(include_bytes!(concat!(env!("OUT_DIR"), "/ui/", $name, ".gz"))),
            },)*
        ]
    };
}

impl Asset {
    /// Its bytes, as they were before they were compressed.
    fn plain(&self) -> io::Result<Cow<'static, [u8]>> {
        match self.content {
            AssetContent::Plain(bytes) => Ok(bytes.into()),
            AssetContent::Compressed(compressed) => {
                let mut bytes = Vec::new();
                GzDecoder::new(compressed).read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// The type of the modules of the script.
const MODULE: &str = "text/javascript";

/// The addresses of style and images are the original's, those below `ui` are ours.
static ASSETS: &[Asset] = assets! {
    "stylesheets/supervisor.css" "text/css"
    "images/icon.png" "image/png"
    "images/rule.gif" "image/gif"
    "images/state0.gif" "image/gif"
    "images/state1.gif" "image/gif"
    "images/state2.gif" "image/gif"
    "images/state3.gif" "image/gif"
    "images/supervisor.gif" "image/gif"
    ui:
    "actions.js" "text/javascript"
    "activity.js" "text/javascript"
    "ansi.js" "text/javascript"
    "api.js" "text/javascript"
    "app.js" "text/javascript"
    "base.css" "text/css"
    "charts.js" "text/javascript"
    "configuration.js" "text/javascript"
    "dialog.js" "text/javascript"
    "dom.js" "text/javascript"
    "format.js" "text/javascript"
    "graph.js" "text/javascript"
    "icon.svg" "image/svg+xml"
    "icons.js" "text/javascript"
    "layers.js" "text/javascript"
    "list.js" "text/javascript"
    "live.js" "text/javascript"
    "log.js" "text/javascript"
    "plan.js" "text/javascript"
    "program.js" "text/javascript"
    "refused.js" "text/javascript"
    "rights.js" "text/javascript"
    "rows.js" "text/javascript"
    "states.js" "text/javascript"
    "store.js" "text/javascript"
    "table.css" "text/css"
    "table.js" "text/javascript"
    "timeline.js" "text/javascript"
    "usage.js" "text/javascript"
    "viewport.js" "text/javascript"
    "views.css" "text/css"
    "visible.js" "text/javascript"
};

/// Where the files of the interface are that needs a script.
const INTERFACE: &str = "/ui/";

const DIRECTORIES: &[&str] = &["/stylesheets", "/images"];

/// The files with the time from which they count as modified.
pub struct Assets {
    modified: SystemTime,
}

impl Assets {
    /// As of now, because another version of the daemon may have had other files.
    pub fn new() -> Assets {
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Assets { modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) }
    }
}

/// The addresses of the modules, relative to the page.
pub fn modules() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().filter(|asset| asset.kind == MODULE).map(|asset| asset.path.trim_start_matches('/'))
}

/// The file at a decoded path, or why not.
pub fn find(assets: &Assets, path: &str, headers: &HeaderMap) -> Reply {
    if let Some(directory) = DIRECTORIES.iter().find(|directory| **directory == path) {
        let name = directory.trim_start_matches('/');
        let mut reply = Reply::error(StatusCode::MOVED_PERMANENTLY).text(LOCATION, format!("{name}/"));
        reply.headers.rotate_right(1);
        return reply;
    }
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return Reply::error(StatusCode::NOT_FOUND);
    };
    let modified = httpdate::fmt_http_date(assets.modified);
    if is_known(headers, assets.modified) {
        return Reply::whole(StatusCode::NOT_MODIFIED, "").text(LAST_MODIFIED, modified);
    }
    let (body, is_compressed) = match asset.content {
        AssetContent::Compressed(bytes) if accepts_gzip(headers) => (Cow::Borrowed(bytes), true),
        _ => match asset.plain() {
            Ok(bytes) => (bytes, false),
            Err(_) => return Reply::error(StatusCode::INTERNAL_SERVER_ERROR),
        },
    };
    let body = match body {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let reply = Reply::whole(StatusCode::OK, body).text(LAST_MODIFIED, modified).length();
    let reply = reply.text(CONTENT_TYPE, asset.kind);
    let reply = if is_compressed { reply.text(CONTENT_ENCODING, "gzip") } else { reply };
    match asset.path.starts_with(INTERFACE) {
        // Modules of two versions of the daemon do not fit together, so that a browser asks each time.
        true => {
            reply.text(CACHE_CONTROL, "no-cache").text(VARY, "Accept-Encoding").text(X_CONTENT_TYPE_OPTIONS, "nosniff")
        }
        false => reply,
    }
}

/// Whether the client says that it understands gzip.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// Whether the client says it has this version already.
fn is_known(headers: &HeaderMap, modified: SystemTime) -> bool {
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    since.and_then(|text| httpdate::parse_http_date(text).ok()).is_some_and(|since| modified <= since)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::network::reply::ReplyContent;

    #[test]
    fn every_file_is_what_its_type_says() {
        for asset in ASSETS {
            let magic: &[u8] = match asset.kind {
                "image/png" => b"\x89PNG\r\n\x1a\n",
                "image/gif" => b"GIF89a",
                MODULE => b"// ",
                "image/svg+xml" => b"<svg ",
                _ => b"/*",
            };
            assert!(asset.plain().expect("it can be read").starts_with(magic), "{}", asset.path);
        }
    }

    #[test]
    fn every_file_of_the_interface_is_served() {
        let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/ui")).expect("it is there");
        let mut names: Vec<String> =
            directory.map(|entry| format!("/ui/{}", entry.expect("an entry").file_name().to_string_lossy())).collect();
        names.sort();
        let served = ASSETS.iter().map(|asset| asset.path).filter(|path| path.starts_with(INTERFACE));
        assert_eq!(served.collect::<Vec<_>>(), names);
    }

    #[test]
    fn what_is_compressed_is_sent_so_to_those_who_understand_it() {
        let assets = Assets::new();
        let get = |accepted: Option<&'static str>| {
            let accepted = accepted.map(|accepted| (ACCEPT_ENCODING, HeaderValue::from_static(accepted)));
            let reply = find(&assets, "/ui/app.js", &accepted.into_iter().collect());
            let ReplyContent::Whole(body) = reply.content else { unreachable!("a file is whole") };
            (body, reply.headers.iter().any(|(name, value)| name == CONTENT_ENCODING && value == "gzip"))
        };
        let plain = include_bytes!("../../assets/ui/app.js");
        for accepted in [None, Some("br"), Some("gzip;q=0, br"), Some("identity")] {
            let (body, is_compressed) = get(accepted);
            assert!(!is_compressed && body == plain[..], "{accepted:?}");
        }
        for accepted in ["gzip", "br, GZIP ;q=0.5", "gzip, deflate, br"] {
            let (body, is_compressed) = get(Some(accepted));
            let mut read = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut read).expect("it is compressed");
            assert!(is_compressed && read == plain && body.len() < plain.len() / 2, "{accepted}");
        }
    }

    #[test]
    fn a_version_that_is_known_is_not_sent_again() {
        let assets = Assets::new();
        let mut headers = HeaderMap::new();
        let date = httpdate::fmt_http_date(assets.modified);
        headers.insert(IF_MODIFIED_SINCE, HeaderValue::from_str(&date).expect("a date"));
        let reply = find(&assets, "/images/icon.png", &headers);
        assert_eq!(reply.status, StatusCode::NOT_MODIFIED);
        assert!(matches!(reply.content, ReplyContent::Whole(body) if body.is_empty()));
        headers.insert(IF_MODIFIED_SINCE, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(find(&assets, "/images/icon.png", &headers).status, StatusCode::OK);
    }

    #[test]
    fn nothing_outside_is_found() {
        let assets = Assets::new();
        for path in ["/../Cargo.toml", "/images/", "/images/../images/icon.png", "/status.html", "/images//icon.png"] {
            assert_eq!(find(&assets, path, &HeaderMap::new()).status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_directory_gets_its_slash() {
        let reply = find(&Assets::new(), "/images", &HeaderMap::new());
        assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY);
        assert_eq!(reply.headers[0], (LOCATION, HeaderValue::from_static("images/")));
    }
}
