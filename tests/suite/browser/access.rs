//! Whether everybody can use the page: labels, contrast, dark and light, phones, paper.

use super::barriers::{barriers, checker};
use super::open;

const PROGRAMS: &str = "
[program:db]
command=sleep 1000
startsecs=0
[program:web]
command=sh -c 'printf \"\\033[31mred\\033[0m\\\\n\"; exec sleep 1000'
numprocs=3
process_name=web_%(process_num)d
depends_on=db
startsecs=0
[program:broken]
command=sh -c 'echo no database >&2; exit 3'
startretries=0
[program:a-name-that-is-too-long-for-its-box]
command=sleep 1000
depends_on=web
startsecs=0
[program:idle]
command=sleep 1000
autostart=false
";

const VIEWS: [&str; 5] = ["#/", "#/programs/broken/broken", "#/dependencies", "#/configuration", "#/log"];

#[test]
fn an_accessibility_checker_finds_nothing() {
    let checker = checker();
    let (_daemon, page) = open("browser-access", PROGRAMS);
    page.wait_for_row("broken:broken", "Fatal");
    for scheme in ["light", "dark"] {
        page.prefer("prefers-color-scheme", scheme);
        for view in VIEWS {
            page.go(view);
            page.wait("the view is there", "return document.querySelector('main .view')?.innerText.length > 20");
            let found = barriers(&page, &checker);
            assert_eq!(found, "", "{scheme} {view}");
        }
    }
    page.become_phone();
    for view in VIEWS {
        page.go(view);
        page.wait("the view is there", "return document.querySelector('main .view')?.innerText.length > 20");
        let found = barriers(&page, &checker);
        assert_eq!(found, "", "phone {view}");
        let fits = page.run("return document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(fits, true, "{view} is wider than a phone");
    }
}

#[test]
fn nothing_moves_for_those_who_prefer_that() {
    let (_daemon, page) = open("browser-motion", PROGRAMS);
    page.wait_for_row("idle:idle", "Stopped");
    let moves = "document.querySelector('[data-key=\"idle:idle\"]').classList.add('is-busy');
        return document.getAnimations().length > 0";
    assert_eq!(page.run(moves), true, "what is busy turns");
    page.prefer("prefers-reduced-motion", "reduce");
    assert_eq!(page.run(moves), false);
}

#[test]
fn a_dark_scheme_is_dark_and_paper_is_white() {
    let (_daemon, page) = open("browser-dark", PROGRAMS);
    page.wait_for_row("broken:broken", "Fatal");
    let ground = "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)";
    let brightness =
        || page.run(ground).as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).sum::<u64>();
    page.prefer("prefers-color-scheme", "light");
    assert!(brightness() > 600);
    page.prefer("prefers-color-scheme", "dark");
    assert!(brightness() < 100);
    page.emulate_paper();
    assert_eq!(brightness(), 765);
}
