//! The classes of characters that both lexers of `environment=` distinguish: those of Python's `shlex`, with the word
//! characters that the original adds (`dict_of_key_value_pairs` in `supervisor/datatypes.py`).

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/.+-():".contains(c)
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}
