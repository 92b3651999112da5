//! Single values of options, names of processes, numbers in text.

use supervisord_config::{convert, signal};
use supervisord_core::auto_log;
use supervisord_wire::name::{Namespec, namespec};
use supervisord_wire::number;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = convert::integer(&text);
    let _ = convert::boolean(&text);
    let _ = convert::byte_size(&text);
    let _ = convert::octal(&text);
    let _ = convert::log_level(&text);
    let _ = convert::exit_codes(&text);
    let _ = convert::strings(&text);
    let _ = convert::auto_restart(&text);
    let _ = convert::port(&text);
    let _ = convert::inet_address(&text);
    if let Ok(name) = convert::name(&text) {
        assert!(!name.contains(':'));
    }
    if let Some(integer) = number::int_from_text(&text) {
        assert_eq!(number::int_from_text(&integer.to_string()), Some(integer));
    }
    if let Some(float) = number::float_from_text(&text) {
        let again = number::float_from_text(&number::float_text(float));
        assert!(float.is_nan() || again == Some(float), "{float} {again:?}");
    }
    if let Ok(number) = signal::parse(&text) {
        assert!((1..=64).contains(&number), "{number}");
    }
    let _ = signal::parse_stop_signal(&text);
    let _ = auto_log::is_auto_log(&text, "supervisor");
    let _ = Namespec::parse(&text);
    let _ = Namespec::parse(&namespec(&text, &text));
}
