//! The INI dialect: every value that is read has its file and line.

use supervisord_config::ini::Ini;

pub fn run(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').count() as u32;
    let mut ini = Ini::default();
    if ini.read("file", data).is_err() {
        return;
    }
    for section in ini.sections() {
        assert!((1..=lines).contains(&section.origin().line), "{:?}", section.origin());
        for (name, entry) in ini.options(section) {
            assert_eq!(ini.get(section.name(), name).map(|same| &same.value), Some(&entry.value));
            assert!((1..=lines).contains(&entry.origin.line), "{name}: {:?}", entry.origin);
        }
    }
    // Reading the same text again over the result changes nothing.
    let before: Vec<String> = ini.sections().map(|section| section.name().to_owned()).collect();
    ini.read("file", data).expect("it could be read before");
    let after: Vec<String> = ini.sections().map(|section| section.name().to_owned()).collect();
    assert_eq!(before, after);
    ini.replace("a", "b");
}
