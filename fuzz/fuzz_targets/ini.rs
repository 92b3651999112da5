#![no_main]

#[path = "../../tests/fuzz/bodies/ini.rs"]
mod ini;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ini::run(data));
