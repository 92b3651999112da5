//! Whole numbers and names with `+ - * / %` and parentheses, such as `process_num * 10 + 8000`. Quotients are rounded down.

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoValue {
    /// It is no expression with at least one operator.
    NotAnExpression,
    /// Nobody knows this name.
    Unknown(String),
    /// Anything else, in words that quote no value.
    Bad(String),
}

/// Between a variable and what stands for it where it is empty or not set, as in a shell.
pub(super) const DEFAULT: &str = ":-";

/// How deep parentheses and signs may stand within each other.
const DEEPEST: usize = 32;

/// The value of an expression. `value_of` knows names, and what is in parentheses and no expression by itself.
pub(crate) fn evaluate(text: &str, value_of: &dyn Fn(&str) -> Result<i64, NoValue>) -> Result<i64, NoValue> {
    // What is no expression as a whole is none, whatever else could be said of its parts.
    if !is_expression(text) {
        return Err(NoValue::NotAnExpression);
    }
    let mut reader = ExpressionReader { rest: text, depth: 0, value_of };
    let value = reader.sum()?;
    reader.skip_blanks();
    if reader.rest.is_empty() { Ok(value) } else { Err(NoValue::NotAnExpression) }
}

fn is_expression(text: &str) -> bool {
    let zero = |_: &str| Ok(0);
    let mut reader = ExpressionReader { rest: text, depth: 0, value_of: &zero };
    // With 0 for every name, a division is the only thing that can fail and yet be an expression.
    let is_whole = match reader.sum() {
        Ok(_) => reader.rest.trim_start().is_empty(),
        Err(NoValue::Bad(_)) => true,
        Err(NoValue::NotAnExpression | NoValue::Unknown(_)) => false,
    };
    is_whole && text.contains(['+', '-', '*', '/', '%'])
}

struct ExpressionReader<'t, 'v> {
    rest: &'t str,
    depth: usize,
    value_of: &'v dyn Fn(&str) -> Result<i64, NoValue>,
}

impl<'t> ExpressionReader<'t, '_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// The next operator, if it is one of these.
    fn operator(&mut self, of: &[char]) -> Option<char> {
        self.skip_blanks();
        let operator = self.rest.chars().next().filter(|next| of.contains(next))?;
        self.rest = &self.rest[operator.len_utf8()..];
        Some(operator)
    }

    fn sum(&mut self) -> Result<i64, NoValue> {
        let mut value = self.product()?;
        while let Some(operator) = self.operator(&['+', '-']) {
            let operand = self.product()?;
            let result = if operator == '+' { value.checked_add(operand) } else { value.checked_sub(operand) };
            value = result.ok_or_else(too_large)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, NoValue> {
        let mut value = self.factor()?;
        while let Some(operator) = self.operator(&['*', '/', '%']) {
            let operand = self.factor()?;
            let result = match operator {
                '*' => value.checked_mul(operand),
                _ if operand == 0 => return Err(NoValue::Bad("division by zero".to_owned())),
                '/' => quotient(value, operand),
                _ => quotient(value, operand).map(|quotient| value.wrapping_sub(quotient.wrapping_mul(operand))),
            };
            value = result.ok_or_else(too_large)?;
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i64, NoValue> {
        self.depth += 1;
        let value = if self.depth > DEEPEST { Err(NoValue::NotAnExpression) } else { self.factor_within() };
        self.depth -= 1;
        value
    }

    fn factor_within(&mut self) -> Result<i64, NoValue> {
        if self.operator(&['-']).is_some() {
            return self.factor()?.checked_neg().ok_or_else(too_large);
        }
        if self.operator(&['(']).is_some() {
            let end = closing(self.rest.char_indices()).ok_or(NoValue::NotAnExpression)?;
            let (inner, behind) = (&self.rest[..end], &self.rest[end + 1..]);
            if has_default(inner) {
                self.rest = behind;
                return (self.value_of)(inner.trim());
            }
            let value = self.sum()?;
            self.operator(&[')']).ok_or(NoValue::NotAnExpression)?;
            return Ok(value);
        }
        let end = self.rest.find(|letter| !is_name_part(letter));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word.chars().next() {
            None => Err(NoValue::NotAnExpression),
            Some(first) if first.is_ascii_digit() => word.parse().map_err(|_| NoValue::NotAnExpression),
            Some(_) => (self.value_of)(word),
        }
    }
}

/// Whether it is a plain name with a default. Whoever knows its value never evaluates it as arithmetic again, so that nothing
/// nests deeper than [`DEEPEST`].
fn has_default(inner: &str) -> bool {
    inner.trim().split_once(DEFAULT).is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_name_part))
}

/// Whether the letter can be in the name of a variable.
pub(super) fn is_name_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where the parenthesis ends that has been opened before these letters, which have their places with them.
pub(super) fn closing(letters: impl IntoIterator<Item = (usize, char)>) -> Option<usize> {
    let mut depth = 1_usize;
    letters.into_iter().find_map(|(place, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(place)
    })
}

/// Rounded down; `divisor` is not 0.
fn quotient(value: i64, divisor: i64) -> Option<i64> {
    let quotient = value.checked_div(divisor)?;
    let is_rounded_up = value % divisor != 0 && (value < 0) != (divisor < 0);
    Some(if is_rounded_up { quotient - 1 } else { quotient })
}

fn too_large() -> NoValue {
    NoValue::Bad("a number is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<i64, NoValue> {
        evaluate(text, &|name| match name {
            "n" => Ok(3),
            "ENV_P:-8" => Ok(8),
            "big" => Ok(i64::MAX),
            other => Err(NoValue::Unknown(other.to_owned())),
        })
    }

    #[test]
    fn expressions_have_the_values_of_arithmetic() {
        for (text, expected) in [
            ("n + 8000", 8003),
            ("n*10+8000", 8030),
            ("8000 - n - 1", 7996),
            ("(n + 1) * (n - 1)", 8),
            ("-n + 10", 7),
            ("- -n", 3),
            ("7 / 2", 3),
            ("-7 / 2", -4),
            ("7 % 3", 1),
            ("-7 % 3", 2),
            ("7 % -3", -2),
            (" 2*( (3) ) ", 6),
            ("(ENV_P:-8) * 2", 16),
            ("(( ENV_P:-8 ) + 1) * 2", 18),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_apart_from_a_mistake_in_one() {
        for text in
            ["n", "8000", "", "a(b)c", "n +", "n ++ ", "n 8", "(n", "n)", "1x + 2", "a.b+", "99999999999999999999 + 1"]
        {
            assert_eq!(value(text), Err(NoValue::NotAnExpression), "{text}");
        }
        assert_eq!(value("x + 1"), Err(NoValue::Unknown("x".to_owned())));
        assert_eq!(value("n / 0"), Err(NoValue::Bad("division by zero".to_owned())));
        assert_eq!(value("n % (3 - n)"), Err(NoValue::Bad("division by zero".to_owned())));
        for text in ["big + 1", "big * 2", "-big - 2", "(-big - 1) / -1"] {
            assert_eq!(value(text), Err(NoValue::Bad("a number is too large".to_owned())), "{text}");
        }
        assert_eq!(value(&format!("{}1+1", "(".repeat(100_000))), Err(NoValue::NotAnExpression));
        assert_eq!(value(&format!("{}1", "-".repeat(100_000))), Err(NoValue::NotAnExpression));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_value_or_is_refused(text in "[n0-9()+*/% -]{0,40}|.{0,40}") {
            let _ = value(&text);
        }

        #[test]
        fn quotient_and_remainder_belong_together(a in -1000_i64..1000, b in -20_i64..20) {
            proptest::prop_assume!(b != 0);
            let part = |operator: &str| value(&format!("({a}) {operator} ({b})")).unwrap();
            proptest::prop_assert_eq!(part("/") * b + part("%"), a);
        }
    }
}
