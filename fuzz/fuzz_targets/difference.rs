#![no_main]

#[allow(dead_code)] // only a part of it is used here
#[path = "../../tests/fuzz/bodies/configuration.rs"]
mod configuration;
#[path = "../../tests/fuzz/bodies/difference.rs"]
mod difference;

libfuzzer_sys::fuzz_target!(|data: &[u8]| difference::run(data));
