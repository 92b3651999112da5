#![no_main]

#[path = "../../tests/fuzz/bodies/environment.rs"]
mod environment;

libfuzzer_sys::fuzz_target!(|data: &[u8]| environment::run(data));
