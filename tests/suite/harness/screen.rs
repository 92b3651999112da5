//! What a terminal shows after what was written to it: the cursor is placed, the screen is cleared, letters replace letters.

use std::collections::BTreeMap;

/// The lines of the screen after this output, without what follows the last letter of each.
pub fn screen(output: &str) -> String {
    let mut lines: BTreeMap<usize, Vec<char>> = BTreeMap::new();
    let (mut row, mut column) = (1, 1);
    let mut letters = output.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                let sequence = sequence(&mut letters);
                if let Some(place) = sequence.strip_suffix('H') {
                    let (to_row, to_column) = place.split_once(';').unwrap_or(("1", "1"));
                    (row, column) = (to_row.parse().unwrap_or(1), to_column.parse().unwrap_or(1));
                } else if sequence == "2J" {
                    lines.clear();
                }
            }
            '\n' => row += 1,
            '\r' => column = 1,
            _ => {
                let line = lines.entry(row).or_default();
                line.resize(line.len().max(column), ' ');
                line[column - 1] = letter;
                column += 1;
            }
        }
    }
    let text = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
    lines.values().map(text).collect::<Vec<_>>().join("\n")
}

/// The rest of an escape sequence, up to the letter that ends it.
fn sequence(letters: &mut impl Iterator<Item = char>) -> String {
    let mut taken = String::new();
    for letter in letters.skip(1) {
        taken.push(letter);
        if letter.is_ascii_alphabetic() {
            break;
        }
    }
    taken
}

#[test]
fn letters_stand_where_they_were_put() {
    let output = "\u{1b}[2J\u{1b}[2;3Hab c\u{1b}[1;1H\u{1b}[0;31mtop\u{1b}[2;4HX\u{1b}[?25l";
    assert_eq!(screen(output), "top\n  aX c");
    assert_eq!(screen(&format!("{output}\u{1b}[2J")), "");
}
