//! Thousands of programs.

use super::open;

const COUNT: usize = 2000;

/// Only the rows that can be seen exist, wherever the table is scrolled to.
#[test]
fn thousands_of_programs_have_rows_only_where_somebody_looks() {
    let programs = format!(
        "[program:many]\ncommand=sleep 1000\nnumprocs={COUNT}\nprocess_name=many_%(process_num)04d\nautostart=false\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    let (_daemon, page) = open("browser-many", &programs);
    page.wait_for_row("many:many_0000", "Stopped");
    page.wait_for_text(&format!("{COUNT} programs").replace("2000", "2,000"));
    let rows = "document.querySelectorAll('.rows .row').length";
    page.wait("few rows exist", &format!("return {rows} > 10 && {rows} < 100"));
    page.run("window.scrollTo(0, document.documentElement.scrollHeight)");
    page.wait_for_row("many:many_1999", "Stopped");
    page.wait("few rows exist", &format!("return {rows} > 10 && {rows} < 100"));
    page.write("/many_1234");
    page.wait_for_row("many:many_1234", "Stopped");
    page.wait("only the match is left", &format!("return {rows} === 2"));
}

/// A restart costs a page with many rows as much as one with few.
#[test]
fn a_change_touches_only_the_rows_that_show_it() {
    let programs = format!(
        "[program:many]\ncommand=sleep 1000\nnumprocs={COUNT}\nprocess_name=many_%(process_num)04d\nautostart=false\n\
         startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    let (daemon, page) = open("browser-change", &programs);
    page.wait_for_row("many:many_0003", "Stopped");
    page.run(
        "window.touched = new Set();
         const note = ({ target }) => window.touched.add((target.closest ?? target.parentElement.closest).call(target.closest ? target : target.parentElement, '.row')?.dataset.key ?? 'all');
         new MutationObserver((changes) => changes.forEach(note)).observe(document.querySelector('.rows'), { subtree: true, childList: true, attributes: true, characterData: true });",
    );
    daemon.call("supervisor.startProcess", &["many:many_0003".into()]);
    page.wait_for_row("many:many_0003", "Running");
    let touched = page.run("return [...window.touched].sort()");
    assert_eq!(touched, serde_json::json!(["group\nmany", "many:many_0003"]));
}
