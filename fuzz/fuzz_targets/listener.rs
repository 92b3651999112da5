#![no_main]

#[path = "../../tests/fuzz/bodies/listener.rs"]
mod listener;

libfuzzer_sys::fuzz_target!(|data: &[u8]| listener::run(data));
