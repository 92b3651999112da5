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
