//! The difference of two configurations: every group is in at most one list, and nothing differs from itself.

use supervisord_config::diff::{Difference, diff};

use super::configuration::read;

/// Two files, separated by the first byte that is not ASCII text.
pub fn run(data: &[u8]) {
    let (old, new) = data.iter().position(|byte| *byte == 0xff).map_or((data, data), |cut| data.split_at(cut));
    let file = |text: &[u8]| read(&[b"[supervisord]\n", text.strip_prefix(b"\xff").unwrap_or(text)].concat());
    let (Ok(old), Ok(new)) = (file(old), file(new)) else { return };
    for config in [&old, &new] {
        assert_eq!(diff(&config.groups, &config.groups), Default::default());
    }
    let (there, back) = (diff(&old.groups, &new.groups), diff(&new.groups, &old.groups));
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    assert_eq!(sorted(&there.added), sorted(&back.removed));
    assert_eq!(sorted(&there.removed), sorted(&back.added));
    let changed = |difference: &Difference| -> Vec<String> {
        assert!(difference.changed.iter().all(|group| !group.changes.is_empty()));
        difference.changed.iter().map(|group| group.name.clone()).collect()
    };
    assert_eq!(sorted(&changed(&there)), sorted(&changed(&back)));
    let listed = [changed(&there), there.removed.clone()].concat();
    assert!(there.added.iter().all(|name| !listed.contains(name)));
}
