//! Ids that nobody else has.

use std::fs::File;
use std::io::{self, Read};

/// 32 hexadecimal digits from the system's random numbers.
pub fn random_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
