//! Parts of logs: the returned range always lies within the file.

use supervisord_core::logread;

fn number(bytes: &[u8]) -> i64 {
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(bytes) {
        *to = *from;
    }
    // Small and extreme numbers are the interesting ones.
    let number = i64::from_le_bytes(eight);
    if eight[7] & 1 == 0 { number } else { number % 64 }
}

pub fn run(data: &[u8]) {
    let mut numbers = data.chunks(8).map(number);
    let mut next = || numbers.next().unwrap_or(0);
    let (size, offset, length) = (next().unsigned_abs(), next(), next());
    if let Ok(range) = logread::read_range(size, offset, length) {
        assert!(range.start <= range.end && range.end <= size, "{range:?} of {size}");
    }
    let tail = logread::tail_range(size, offset, length);
    assert!(tail.range.start <= tail.range.end && tail.range.end <= size, "{:?} of {size}", tail.range);
    assert!(tail.range.end - tail.range.start <= logread::MAX_BYTES);
    let text = logread::text(data.to_vec(), size % 2 == 0);
    assert!(text.len() <= data.len() * 3);
}
