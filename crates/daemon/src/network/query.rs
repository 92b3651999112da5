//! Parameters of an address, or of a form, which are written alike.

use crate::network::route::decode;

/// The names and values of a text like `a=1&b=2`, decoded, in their order.
pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.trim_end_matches(['\r', '\n']).split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    })
}

fn plain(text: &str) -> String {
    decode(&text.replace('+', " ")).into_owned()
}
