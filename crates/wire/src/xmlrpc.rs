//! The XML-RPC codec.
