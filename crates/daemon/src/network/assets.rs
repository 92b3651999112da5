//! The files that come with the daemon: style, images and script of the web page.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, LAST_MODIFIED, LOCATION, X_CONTENT_TYPE_OPTIONS,
};

use crate::network::reply::Reply;

struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $kind:literal)*) => {
        &[$(Asset { path: concat!("/", $path), kind: $kind, bytes: include_bytes!(concat!("../../assets/", $path)) }),*]
    };
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
    "ui/actions.js" "text/javascript"
    "ui/activity.js" "text/javascript"
    "ui/ansi.js" "text/javascript"
    "ui/api.js" "text/javascript"
    "ui/app.js" "text/javascript"
    "ui/base.css" "text/css"
    "ui/charts.js" "text/javascript"
    "ui/configuration.js" "text/javascript"
    "ui/dialog.js" "text/javascript"
    "ui/dom.js" "text/javascript"
    "ui/format.js" "text/javascript"
    "ui/graph.js" "text/javascript"
    "ui/icon.svg" "image/svg+xml"
    "ui/icons.js" "text/javascript"
    "ui/layers.js" "text/javascript"
    "ui/list.js" "text/javascript"
    "ui/live.js" "text/javascript"
    "ui/log.js" "text/javascript"
    "ui/plan.js" "text/javascript"
    "ui/program.js" "text/javascript"
    "ui/rights.js" "text/javascript"
    "ui/rows.js" "text/javascript"
    "ui/states.js" "text/javascript"
    "ui/store.js" "text/javascript"
    "ui/table.css" "text/css"
    "ui/table.js" "text/javascript"
    "ui/timeline.js" "text/javascript"
    "ui/usage.js" "text/javascript"
    "ui/viewport.js" "text/javascript"
    "ui/views.css" "text/css"
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
    let reply = Reply::whole(StatusCode::OK, asset.bytes).text(LAST_MODIFIED, modified).length();
    let reply = reply.text(CONTENT_TYPE, asset.kind);
    match asset.path.starts_with(INTERFACE) {
        // Modules of two versions of the daemon do not fit together, so that a browser asks each time.
        true => reply.text(CACHE_CONTROL, "no-cache").text(X_CONTENT_TYPE_OPTIONS, "nosniff"),
        false => reply,
    }
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
            assert!(asset.bytes.starts_with(magic), "{}", asset.path);
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
