//! Eight web workers behind nginx are restarted one after the other while clients ask.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::harness::{Daemon, Program, Scene, Subject, http, needs, only_ours, wait};

const WORKERS: usize = 8;
const CLIENTS: usize = 4;

const PROGRAMS: &str = "[program:web]\ncommand=./worker %(process_num)d\nprocess_name=web_%(process_num)d\nnumprocs=8\n\
    ready_when=http://unix:{dir}/worker_%(process_num)d.sock:/ready\n\
    [program:nginx]\ncommand=/usr/sbin/nginx -c {dir}/nginx.conf -g \"daemon off;\"\nstopsignal=QUIT\ndepends_on=web:*\n\
    ready_when=http://127.0.0.1:{port}/\n";

/// A worker that restarts is tried again at once, and its requests go to the others.
const NGINX: &str = "pid {dir}/nginx.pid;\nerror_log stderr;\nworker_processes 1;\nevents { worker_connections 256; }\n\
    http {\n access_log off;\n client_body_temp_path {dir}/tmp1;\n proxy_temp_path {dir}/tmp2;\n\
    fastcgi_temp_path {dir}/tmp3;\n uwsgi_temp_path {dir}/tmp4;\n scgi_temp_path {dir}/tmp5;\n\
    keepalive_requests 1000000;\n upstream web {\n{workers} }\n\
    server { listen 127.0.0.1:{port}; location / { proxy_pass http://web; proxy_next_upstream error timeout; } }\n}\n";

fn start() -> Daemon {
    _ = needs::program("nginx");
    let workers: String =
        (0..WORKERS).map(|number| format!("server unix:{{dir}}/worker_{number}.sock max_fails=0;\n")).collect();
    let scene = Scene::with("rolling-web", PROGRAMS)
        .file("nginx.conf", &NGINX.replace("{workers}", &workers))
        .script("worker", include_str!("../fixtures/web_worker.py"));
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_state("nginx", "RUNNING");
    daemon
}

/// What the clients have seen.
#[derive(Default)]
struct Answers {
    count: AtomicUsize,
    /// The workers that have answered.
    workers: Mutex<BTreeSet<i32>>,
    failures: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Answers {
    /// Asks over one connection until it is over.
    fn ask(&self, port: u16) {
        let mut stream = http::tcp(port).expect("nginx listens");
        let mut paths = ["/", "/slow"].into_iter().cycle();
        while !self.is_over.load(Ordering::SeqCst) {
            let path = paths.next().unwrap_or_default();
            match http::request(&mut *stream, "GET", path, &[], b"") {
                Ok(response) if response.status() == 200 => {
                    let worker = response.text().trim().parse().expect("a process id");
                    self.workers.lock().expect("no panic").insert(worker);
                    self.count.fetch_add(1, Ordering::SeqCst);
                }
                Ok(response) => self.failed(&format!("{path}: {}", response.status_line)),
                Err(error) => {
                    self.failed(&format!("{path}: {error}"));
                    stream = http::tcp(port).expect("nginx listens");
                }
            }
        }
    }

    fn failed(&self, text: &str) {
        self.failures.lock().expect("no panic").push(text.to_owned());
    }

    /// Waits until each of these workers, and no other, has answered from now on.
    fn wait_for_each(&self, workers: &[i32]) {
        self.workers.lock().expect("no panic").clear();
        let before = self.count.load(Ordering::SeqCst);
        wait::until("all workers have answered", || {
            let answered = self.workers.lock().expect("no panic").clone();
            workers.iter().all(|worker| answered.contains(worker))
                && self.count.load(Ordering::SeqCst) >= before + 10 * WORKERS
        });
    }
}

fn pids(daemon: &Daemon) -> Vec<i32> {
    (0..WORKERS).map(|number| daemon.pid_of(&format!("web:web_{number}"))).collect()
}

/// The least number of workers that could be reached at a time, as they say themselves, once all have been up.
fn least_reachable(journal: &str) -> usize {
    let mut reachable = BTreeSet::new();
    let mut least = WORKERS;
    let mut were_all_up = false;
    for line in journal.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "up" => reachable.insert(words[1]),
            _ => reachable.remove(words[1]),
        };
        were_all_up |= reachable.len() == WORKERS;
        if were_all_up {
            least = least.min(reachable.len());
        }
    }
    assert!(were_all_up, "{journal}");
    least
}

/// The least number of workers that were RUNNING at a time, as the events of the daemon tell it, once all were.
fn least_running(daemon: &Daemon) -> usize {
    let mut states: BTreeMap<String, String> = BTreeMap::new();
    let mut least = WORKERS;
    let mut were_all_up = false;
    for line in daemon.ctl(&["events", "--json", "-n", "512", "web:*"]).stdout.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let Some(to) = event["state"].as_str() else { continue };
        states.insert(event["name"].as_str().unwrap_or_default().to_owned(), to.to_owned());
        let running = states.values().filter(|state| *state == "RUNNING").count();
        were_all_up |= running == WORKERS;
        if were_all_up {
            least = least.min(running);
        }
    }
    assert!(were_all_up, "{states:?}");
    least
}

#[test]
fn eight_web_workers_behind_nginx_restart_one_by_one_and_no_request_fails() {
    only_ours(|| {
        let mut daemon = start();
        let port = daemon.fill("{port}").parse().expect("a port");
        let answers = Answers::default();
        thread::scope(|scope| {
            // A panic must not leave the clients asking.
            let over = Over(&answers);
            for _ in 0..CLIENTS {
                scope.spawn(|| answers.ask(port));
            }
            let before = pids(&daemon);
            answers.wait_for_each(&before);
            let said = daemon.ctl(&["restart", "--rolling", "web:*"]);
            let expected: String = (0..WORKERS).map(|number| format!("web:web_{number}: restarted\n")).collect();
            assert_eq!((said.stdout.as_str(), said.code), (expected.as_str(), 0));
            let after = pids(&daemon);
            assert!(after.iter().all(|pid| *pid != 0 && !before.contains(pid)), "{before:?} {after:?}");
            answers.wait_for_each(&after);
            assert_eq!(least_running(&daemon), WORKERS - 1);

            // The daemon is killed in the middle, and the next one is replaced.
            let mut command = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
            let command = command.args(["-c", "supervisord.conf", "restart", "--rolling", "web:*"]);
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut rolling = command.spawn().expect("it can be executed");
            let restarted = |daemon: &Daemon, least: usize| {
                pids(daemon).iter().filter(|pid| **pid != 0 && !after.contains(pid)).count() >= least
            };
            daemon.wait_until("two have been restarted", |daemon| restarted(daemon, 2));
            daemon.crash();
            rolling.wait().expect("it is a child");
            daemon.start_again();
            daemon.wait_until("four have been restarted", |daemon| restarted(daemon, 4));
            assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            daemon.wait_until("all have been restarted", |daemon| restarted(daemon, WORKERS));
            assert_eq!(daemon.ctl(&["wait", "web:*", "--timeout", "2min"]).code, 0);
            answers.wait_for_each(&pids(&daemon));
            drop(over);
        });
        let failures = answers.failures.lock().expect("no panic").clone();
        let count = answers.count.load(Ordering::SeqCst);
        assert!(failures.is_empty(), "{} of {count}: {failures:?}\n{}", failures.len(), daemon.report());
        assert_eq!(least_reachable(&daemon.read("journal")), WORKERS - 1, "{}", daemon.read("journal"));
        assert_eq!(daemon.stop(), 0);
    });
}

/// Ends the clients when it goes.
struct Over<'a>(&'a Answers);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
