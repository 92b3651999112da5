//! The files of the page.

/// The type of a script.
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file: its type and content.
pub(super) type PageFile = (&'static str, &'static str);

/// The file at a path.
pub(super) fn file(path: &str) -> Option<PageFile> {
    Some(match path {
        "/" => ("text/html; charset=utf-8", include_str!("../../assets/fleet.html")),
        "/fleet.js" => (SCRIPT, include_str!("../../assets/fleet.js")),
        "/fleet.css" => ("text/css; charset=utf-8", include_str!("../../assets/fleet.css")),
        // Colours, type and the words for states are those of the daemon's page.
        "/base.css" => ("text/css; charset=utf-8", include_str!("../../../daemon/assets/ui/base.css")),
        "/table.css" => ("text/css; charset=utf-8", include_str!("../../../daemon/assets/ui/table.css")),
        "/icon.svg" => ("image/svg+xml", include_str!("../../../daemon/assets/ui/icon.svg")),
        "/dialog.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/dialog.js")),
        "/dom.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/dom.js")),
        "/format.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/format.js")),
        "/icons.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/icons.js")),
        "/rights.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/rights.js")),
        "/states.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/states.js")),
        "/visible.js" => (SCRIPT, include_str!("../../../daemon/assets/ui/visible.js")),
        _ => return None,
    })
}

/// What a browser may load for the page, and who may show it.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";
