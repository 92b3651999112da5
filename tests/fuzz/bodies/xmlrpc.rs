//! XML-RPC documents: whatever was parsed can be written and parsed again.

use supervisord_wire::xmlrpc::{decode_call, decode_response, encode_call, encode_fault, encode_response};

pub fn run(data: &[u8]) {
    if let Ok((method, parameters)) = decode_call(data) {
        // Some values have no exact spelling; a value that was written once has one.
        let written = encode_call(&method, &parameters);
        let (method, parameters) = decode_call(written.as_bytes()).expect("what we write can be read");
        assert_eq!(encode_call(&method, &parameters), written);
    }
    match decode_response(data) {
        Ok(Ok(value)) => {
            let written = encode_response(&value);
            let value = decode_response(written.as_bytes()).expect("what we write can be read").expect("no fault");
            assert_eq!(encode_response(&value), written);
        }
        Ok(Err(fault)) => {
            let written = encode_fault(&fault);
            let fault = decode_response(written.as_bytes()).expect("what we write can be read").expect_err("a fault");
            assert_eq!(encode_fault(&fault), written);
        }
        Err(_) => {}
    }
}
