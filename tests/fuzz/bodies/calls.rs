//! Calls of existing methods with invalid arguments: they get the same answer each time, and calls that would change
//! something are refused during shutdown.

use supervisord_daemon::xmlrpc::Methods;
use supervisord_wire::state::Mood;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::decode_call;

/// The first byte chooses the method, the second the state of the daemon; the rest is a call whose arguments are used.
pub fn run(data: &[u8]) {
    let (Some((which, rest)), methods) = (data.split_first(), Methods { supervisor: true }) else { return };
    let Some((mood, document)) = rest.split_first() else { return };
    let mood = [Mood::Running, Mood::Restarting, Mood::Shutdown][usize::from(mood % 3)];
    let (named, arguments) = decode_call(document).unwrap_or_default();
    let list = methods.list();
    for method in [list[usize::from(*which) % list.len()], named.as_str()] {
        let parsed = format!("{:?}", methods.parse(method, arguments.clone(), mood));
        assert_eq!(format!("{:?}", methods.parse(method, arguments.clone(), mood)), parsed);
        let too_many = vec![Value::Int(1); 20];
        assert!(methods.parse(method, too_many, mood).is_err(), "{method} takes twenty arguments");
        let is_known = list.contains(&method);
        assert_eq!(methods.help(&Value::from(method)).is_ok(), is_known, "{method}");
    }
}
