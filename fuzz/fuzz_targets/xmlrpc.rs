#![no_main]

#[path = "../../tests/fuzz/bodies/xmlrpc.rs"]
mod xmlrpc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmlrpc::run(data));
