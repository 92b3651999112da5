#![no_main]

#[path = "../../tests/fuzz/bodies/expansion.rs"]
mod expansion;

libfuzzer_sys::fuzz_target!(|data: &[u8]| expansion::run(data));
