//! The grammar of `environment=`: a list written with quotes is read back unchanged.

use supervisord_config::environment::pairs;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = pairs(&text);
    assert_eq!(read, pairs(&text));

    let plain: Vec<String> =
        text.split('=').map(|value| value.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect()).collect();
    let meant: Vec<(String, String)> =
        plain.iter().enumerate().map(|(number, value)| (format!("NAME_{number}"), value.replace('\n', ""))).collect();
    let written: Vec<String> = meant.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    assert_eq!(pairs(&written.join(",")).as_ref(), Ok(&meant), "{}", written.join(","));
}
