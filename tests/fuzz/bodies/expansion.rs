//! `%(name)s` expressions: text without any stays unchanged, and doubled percent signs become single ones.

use supervisord_config::expand::{ExpansionNames, expand};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let variables = [("HOME".to_owned(), "/root".to_owned())];
    let names = ExpansionNames::new().text("name", "value").number("number", 7).variables(&variables);
    let expanded = expand(&text, &names, "label");
    assert_eq!(expanded, expand(&text, &names, "label"));
    // A width must not make the daemon fill its memory.
    assert!(expanded.is_err() || expanded.is_ok_and(|text| text.len() < 64 << 20));

    let plain = text.replace('%', "");
    assert_eq!(expand(&plain, &names, "label"), Ok(plain.clone()));
    let doubled = text.replace('%', "%%");
    assert_eq!(expand(&doubled, &names, "label"), Ok(text.into_owned()));
}
