#![no_main]

#[path = "../../tests/fuzz/bodies/capture.rs"]
mod capture;

libfuzzer_sys::fuzz_target!(|data: &[u8]| capture::run(data));
