//! The READY/RESULT protocol.
