#![no_main]

#[path = "../../tests/fuzz/bodies/values.rs"]
mod values;

libfuzzer_sys::fuzz_target!(|data: &[u8]| values::run(data));
