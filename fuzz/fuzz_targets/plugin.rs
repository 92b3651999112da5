#![no_main]

#[path = "../../tests/fuzz/bodies/plugin.rs"]
mod plugin;

libfuzzer_sys::fuzz_target!(|data: &[u8]| plugin::run(data));
