//! The XML-RPC codec: [`Value`]s to documents and back.
//!
//! Documents are identical to those of the original, byte for byte, with three deliberate exceptions: characters that
//! XML 1.0 cannot carry are replaced, a carriage return is written as a reference, and an integer outside 32 bits is
//! clamped instead of failing the whole reply. Requests are parsed as leniently as by the original, but a document type
//! declaration is refused, so that no entity can expand.

mod decode;
mod encode;
mod items;

pub use decode::{DecodeError, MAX_CALL_BYTES, decode_call, decode_response};
pub use encode::{ARRAY_RESPONSE, Encode, EncodedArray, encode_array, encode_call, encode_fault, encode_response};
pub use items::ItemReader;

#[cfg(doc)]
use crate::value::Value;

/// Whether XML 1.0 allows this character in a document, literally or as a reference.
const fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests;
