#![no_main]

#[allow(dead_code)] // only its reader is used here
#[path = "../../tests/fuzz/bodies/configuration.rs"]
mod configuration;
#[path = "../../tests/fuzz/bodies/http.rs"]
mod http;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http::run(data));
