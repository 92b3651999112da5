//! Numbers the way printf shows them.

use super::layout::Layout;

/// Sign, prefix and digits, filled up to the width; zeros go between prefix and digits.
fn assemble(negative: bool, prefix: &str, digits: &str, layout: &Layout) -> String {
    let sign = match (negative, layout.plus, layout.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let length = sign.len() + prefix.len() + digits.len();
    let zeros = if layout.zeros && !layout.left { layout.width.saturating_sub(length) } else { 0 };
    layout.pad(format!("{sign}{prefix}{}{digits}", "0".repeat(zeros)))
}

/// `d i u x X o`.
pub(super) fn integer(number: i64, conversion: char, layout: &Layout) -> String {
    let size = number.unsigned_abs();
    let (prefix, digits) = match conversion {
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'o' => ("0o", format!("{size:o}")),
        _ => ("", size.to_string()),
    };
    let prefix = if layout.alternate { prefix } else { "" };
    let missing = layout.precision.unwrap_or(0).saturating_sub(digits.len());
    assemble(number < 0, prefix, &("0".repeat(missing) + &digits), layout)
}

/// `e E f F g G`.
pub(super) fn real(number: i64, conversion: char, layout: &Layout) -> String {
    let size = number.unsigned_abs() as f64;
    let precision = layout.precision.unwrap_or(6);
    let digits = match conversion.to_ascii_lowercase() {
        'e' => scientific(size, precision, layout.alternate),
        'f' => fixed(size, precision, layout.alternate),
        _ => general(size, precision.max(1), layout.alternate),
    };
    let digits = if conversion.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
    assemble(number < 0, "", &digits, layout)
}

fn fixed(size: f64, precision: usize, alternate: bool) -> String {
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{size:.precision$}{point}")
}

fn scientific(size: f64, precision: usize, alternate: bool) -> String {
    let shown = format!("{size:.precision$e}");
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{mantissa}{point}e+{exponent:0>2}")
}

/// The shorter of the two other forms with `precision` significant digits, without trailing zeros.
fn general(size: f64, precision: usize, alternate: bool) -> String {
    let probe = format!("{size:.*e}", precision - 1);
    let exponent = probe.split_once('e').and_then(|(_, exponent)| exponent.parse::<usize>().ok()).unwrap_or(0);
    if exponent < precision {
        let shown = fixed(size, precision - 1 - exponent, alternate);
        return if alternate { shown } else { without_trailing_zeros(&shown).to_owned() };
    }
    let shown = scientific(size, precision - 1, alternate);
    match shown.split_once('e') {
        Some((mantissa, exponent)) if !alternate => format!("{}e{exponent}", without_trailing_zeros(mantissa)),
        _ => shown,
    }
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}
