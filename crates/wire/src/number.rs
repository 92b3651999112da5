//! Numbers in Python's syntax, which deployed clients send and compare.

use std::borrow::Cow;

/// Parses an integer: surrounding whitespace, a sign and single `_` between digits are allowed. Numbers beyond 64 bits
/// are clamped. None for any other text.
pub fn int_from_text(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let digits = without_separators(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().try_fold(0i64, |sum, digit| sum.checked_mul(10)?.checked_add((digit - b'0').into()));
    Some(match (magnitude, negative) {
        (Some(magnitude), false) => magnitude,
        (Some(magnitude), true) => -magnitude,
        (None, false) => i64::MAX,
        (None, true) => i64::MIN,
    })
}

/// Parses a floating-point number; `nan`, `inf` and overflowing exponents are accepted.
pub fn float_from_text(text: &str) -> Option<f64> {
    without_separators(text.trim())?.parse().ok()
}

/// The shortest text that parses as the same number, in Python's spelling (`0.1`, `1e+16`, `1e-05`).
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{number}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// Appends the decimal digits of a number. Lists of processes have thousands of these, for which `format!` takes too long.
pub fn push_decimal(out: &mut String, number: i64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Removes each `_` between two digits; none if there is one elsewhere.
fn without_separators(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'_') {
        return Some(text.into());
    }
    let between_digits = |at: usize| {
        at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_digit())
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
    };
    let well_placed = text.match_indices('_').all(|(at, _)| between_digits(at));
    well_placed.then(|| text.replace('_', "").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_python_reads_them() {
        assert_eq!(int_from_text(" +1_0\n"), Some(10));
        assert_eq!(int_from_text("-007"), Some(-7));
        assert_eq!(int_from_text("99999999999999999999999"), Some(i64::MAX));
        assert_eq!(int_from_text("-99999999999999999999999"), Some(i64::MIN));
        for wrong in ["", "+", "1__0", "_1", "1_", "1.0", "0x1", "- 1", "++1"] {
            assert_eq!(int_from_text(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn floats_are_read_as_python_reads_them() {
        assert_eq!(float_from_text(" 1_0.5 "), Some(10.5));
        assert_eq!(float_from_text("1e400"), Some(f64::INFINITY));
        assert!(float_from_text("NaN").is_some_and(f64::is_nan));
        for wrong in ["", "1,5", "1_.5", "0x1p3"] {
            assert_eq!(float_from_text(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (100000.0, "100000.0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e16, "1e+16"),
            (1e22, "1e+22"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (123456789012345678.0, "1.2345678901234568e+17"),
            (-0.0, "-0.0"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in cases {
            assert_eq!(float_text(number), text);
        }
    }
}
