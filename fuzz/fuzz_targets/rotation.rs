#![no_main]

#[path = "../../tests/fuzz/bodies/rotation.rs"]
mod rotation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rotation::run(data));
