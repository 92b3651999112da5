#![no_main]

#[path = "../../tests/fuzz/bodies/words.rs"]
mod words;

libfuzzer_sys::fuzz_target!(|data: &[u8]| words::run(data));
