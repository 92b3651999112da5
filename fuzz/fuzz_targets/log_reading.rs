#![no_main]

#[path = "../../tests/fuzz/bodies/log_reading.rs"]
mod log_reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_reading::run(data));
