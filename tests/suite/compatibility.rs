//! The compatibility report depends on a table of areas and on a committed file.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::harness::areas::{Area, PLACES};

/// An entry without tests would hide that an area has none.
#[test]
fn every_entry_of_the_area_table_has_tests() {
    let list = Command::new(env::current_exe().expect("a test program has a path"))
        .args(["--list", "--format", "terse"])
        .output()
        .expect("it lists its tests");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(tests.len() > 100, "{list}");
    for (place, area) in PLACES {
        assert!(tests.iter().any(|test| test.starts_with(place)), "{area}: no test begins with {place}");
    }
    let bare: Vec<Area> = Area::all().filter(|area| !tests.iter().any(|test| Area::of(test) == Some(*area))).collect();
    assert!(bare.is_empty(), "areas without tests: {bare:?}");
}

/// Its numbers change with every test, so only its areas are checked. `cargo compatibility` renews the numbers.
#[test]
fn the_committed_report_has_every_area_and_no_failure() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let text = fs::read_to_string(path).expect("`cargo compatibility` has written it");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let areas: Vec<&str> = rows.iter().map(|row| row[0]).filter(|name| Area::named(name).is_some()).collect();
    assert_eq!(areas, Area::all().map(Area::name).collect::<Vec<_>>(), "renew it with `cargo compatibility`");
    for row in rows.iter().filter(|row| Area::named(row[0]).is_some()) {
        assert!(row[1] != "0" && row[4] == "0", "{row:?}");
    }
}
