#![no_main]

#[path = "../../tests/fuzz/bodies/calls.rs"]
mod calls;

libfuzzer_sys::fuzz_target!(|data: &[u8]| calls::run(data));
