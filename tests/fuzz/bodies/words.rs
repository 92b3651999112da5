//! Splitting a command line: quoted words come back unchanged.

use supervisord_config::words::split;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(words) = split(&text) else { return };
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    assert_eq!(split(&quoted.join(" ")).as_ref(), Ok(&words));
    let whole = format!("'{}'", text.replace('\'', "'\\''"));
    assert_eq!(split(&whole), Ok(vec![text.into_owned()]));
}
