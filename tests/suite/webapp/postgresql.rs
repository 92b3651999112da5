//! PostgreSQL as it is: a hook makes its data, a command tells when it is ready and how it is, and a program depends on it.

use nix::unistd::geteuid;

use crate::harness::needs::{self, Power};
use crate::harness::{Scene, Subject, only_ours};

#[test]
fn postgresql_gets_ready_is_checked_and_comes_back_after_a_crash() {
    // It refuses to run as root.
    let user = match geteuid().is_root() {
        true if !Power::ChangeUser.is_there_for("PostgreSQL as another user than root") => return,
        true => "user=nobody\n",
        false => "",
    };
    let bin = needs::postgresql();
    let bin = bin.display();
    let common = format!(
        "directory={{dir}}\n{user}environment=PGHOST=\"{{dir}}\",PGUSER=\"postgres\",PGDATABASE=\"postgres\"\n"
    );
    let text = format!(
        "[program:db]\ncommand={bin}/postgres -D {{dir}}/data -k {{dir}} -h '' -F\n{common}stopsignal=INT\n\
         pre_start=sh -c 'test -e data/PG_VERSION || exec {bin}/initdb -D data -A trust -U postgres -N'\nhook_timeout=5min\n\
         ready_when=exec:{bin}/pg_isready -q\nhealthcheck=exec:{bin}/psql -c 'SELECT 1'\nhealthcheck_interval=1s\n\
         restart_delay=200ms\nstartretries=100\n\
         [program:app]\ncommand={bin}/psql -c 'SELECT pg_sleep(100000)'\n{common}startsecs=0\ndepends_on=db:healthy\n\
         on_dependency_failure=restart\n"
    );
    only_ours(|| {
        let mut daemon = Scene::with("postgresql", &text).open_to_all().start(Subject::Ours);
        daemon.wait_for_log("not yet started: app (waiting for db to be healthy)");
        daemon.wait_for_state("app", "RUNNING");
        let log = daemon.log();
        assert!(log.contains("success: db entered RUNNING state, it was ready after "), "{log}");
        assert!(log.contains("INFO healthy: db is healthy\n"), "{log}");
        let (database, app) = (daemon.pid_of("db"), daemon.pid_of("app"));
        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!((daemon.pid_of("db"), daemon.pid_of("app")), (database, app), "{}", daemon.report());
        assert_eq!(daemon.ctl(&["health", "-q"]).code, 0);

        daemon.kill_child("db");
        daemon.wait_until("both are back", |daemon| {
            let back = |name: &str, before: i32| {
                ![0, before].contains(&daemon.pid_of(name)) && daemon.state_of(name) == "RUNNING"
            };
            back("db", database) && back("app", app)
        });
        assert_eq!(daemon.ctl(&["wait", "db", "--for", "healthy", "--timeout", "2min"]).code, 0);
        assert!(daemon.read("data/PG_VERSION").len() > 1, "the same data");
        assert!(!daemon.log().contains("hook failed"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
        assert!(daemon.log().contains("stopped: db (exit status 0)"), "{}", daemon.log());
    });
}
