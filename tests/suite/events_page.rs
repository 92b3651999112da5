//! `docs/events.md` shows every event as a listener gets it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use supervisord_wire::event::EventType;

/// The examples of the page: the name of the event, the length that its header has, and the payload.
fn examples(page: &str) -> Vec<(String, usize, String)> {
    let field = |header: &str, name: &str| {
        header.split(' ').find_map(|token| token.strip_prefix(name)).map(str::to_owned).unwrap_or_default()
    };
    let headings = page.split("\n#### `").skip(1);
    headings
        .map(|section| {
            let block = section.split("```text\n").nth(1).and_then(|after| after.split("```").next());
            let (header, payload) = block.and_then(|block| block.split_once('\n')).expect("an example");
            let name = section.split('`').next().unwrap_or_default();
            assert_eq!(field(header, "eventname:"), name);
            (name.to_owned(), field(header, "len:").parse().expect("a length"), payload.to_owned())
        })
        .collect()
}

#[test]
fn every_event_has_an_example_with_its_true_length() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).expect("a page");
    let examples = examples(&page);
    let shown: BTreeSet<&str> = examples.iter().map(|(name, ..)| &**name).collect();
    let is_sent = |event: &EventType| !EventType::all().any(|other| other != *event && other.is_a(*event));
    let sent: BTreeSet<&str> = EventType::all().filter(is_sent).map(EventType::name).collect();
    assert_eq!(shown, sent);
    for event in EventType::all() {
        assert!(page.contains(&format!("{}\n", event.name())), "{} is not in the tree", event.name());
    }
    for (name, length, payload) in &examples {
        // The block ends with a line feed, which the payload may have or not.
        let characters = payload.chars().count();
        assert!([characters, characters.saturating_sub(1)].contains(length), "{name}: {length}, not {characters}");
    }
}
