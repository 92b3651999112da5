//! What was probably meant by a misspelt word.

/// The candidate that is most like `word`, where one is like it enough: at most a third of its letters, and never more
/// than three, are missing, added, exchanged or swapped with their neighbour.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let limit = (word.len() / 3).clamp(1, 3);
    let rated = candidates.into_iter().filter_map(|candidate| {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        // What differs too much in length need not be compared, however long it is.
        if word.len().abs_diff(other.len()) > limit {
            return None;
        }
        let distance = distance(&word, &other);
        (distance <= limit && distance < other.len()).then_some((distance, candidate))
    });
    rated.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// `did you mean CANDIDATE?`, where there is one.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean {candidate}?"))
}

/// The number of letters to insert, delete, exchange or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.iter().enumerate() {
        let mut here = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let mut best =
                (above[column] + usize::from(letter != other)).min(above[column + 1] + 1).min(here[column] + 1);
            let is_swapped = row > 0 && column > 0 && a[row - 1] == *other && b[column - 1] == *letter;
            if is_swapped && let Some(swapped) = before.get(column - 1) {
                best = best.min(swapped + 1);
            }
            here.push(best);
        }
        before = std::mem::replace(&mut above, here);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_matched_and_other_words_are_not() {
        let words = ["autostart", "autorestart", "startsecs", "umask", "user"];
        for (written, meant) in [
            ("autostrat", Some("autostart")),
            ("AutoStart", Some("autostart")),
            ("auto_restart", Some("autorestart")),
            ("startsec", Some("startsecs")),
            ("mask", Some("umask")),
            ("usr", Some("user")),
            ("color", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
        assert_eq!(nearest("a", ["b"]), None, "nothing of it is left");
        assert_eq!(did_you_mean("progam", ["program", "group"]).as_deref(), Some("did you mean program?"));
    }

    #[test]
    fn distances_are_those_of_optimal_string_alignment() {
        for (a, b, expected) in
            [("ca", "abc", 3), ("ab", "ba", 1), ("kitten", "sitting", 3), ("", "abc", 3), ("é", "e", 1)]
        {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), expected, "{b} {a}");
        }
    }
}
