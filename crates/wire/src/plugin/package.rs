//! The Python package `supervisor`, embedded in the programs.

/// The argument of `python3 -c`: it reads the package from the channel. Its own argument is the number of the
/// descriptor.
pub const BOOTSTRAP: &str = include_str!("../../../../python/bootstrap.py");

macro_rules! sources {
    ($($module:literal $file:literal),* $(,)?) => {
        /// The modules of the package: names and source texts.
        pub const SOURCES: [(&str, &str); [$($module),*].len()] =
            [$(($module, include_str!(concat!("../../../../python/supervisor/", $file)))),*];
    };
}

sources! {
    "supervisor" "__init__.py",
    "supervisor.channel" "channel.py",
    "supervisor.childutils" "childutils.py",
    "supervisor.compat" "compat.py",
    "supervisor.datatypes" "datatypes.py",
    "supervisor.dispatchers" "dispatchers.py",
    "supervisor.events" "events.py",
    "supervisor.plugin_process" "plugin_process.py",
    "supervisor.http" "http.py",
    "supervisor.loggers" "loggers.py",
    "supervisor.mirror" "mirror.py",
    "supervisor.options" "options.py",
    "supervisor.rpcinterface" "rpcinterface.py",
    "supervisor.states" "states.py",
    "supervisor.supervisorctl" "supervisorctl.py",
    "supervisor.supervisord" "supervisord.py",
    "supervisor.xmlrpc" "xmlrpc.py",
}
