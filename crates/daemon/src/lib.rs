//! The supervisord daemon: start-up and the control, output and network planes.

pub mod activity;
pub mod adoption;
pub mod api;
pub mod audit;
pub mod blocking;
pub mod calls;
pub mod clock;
pub mod command_line;
mod compressed_log;
pub mod control;
pub mod descriptor;
pub mod descriptor_store;
mod disabled_file;
mod drop_in;
pub mod echo_conf;
mod file_end;
mod file_replacement;
pub mod follow;
pub mod generation;
pub mod hand_over;
mod hash_password;
pub mod host;
pub mod inquiry;
pub mod json_schema;
pub mod keeper;
pub mod memory_budget;
pub mod network;
pub mod notifier;
pub mod output;
pub mod output_memory;
pub mod pidfile;
pub mod pidproxy;
mod plugin_process;
pub mod plugins;
pub mod privileges;
pub mod probing;
mod refusal_fault;
mod revisions;
mod rotated_log;
pub mod service_manager;
mod socket_activation;
pub mod start;
pub mod start_error;
pub mod start_mode;
pub mod state;
pub mod usage;
pub mod view;
pub mod xmlrpc;

pub use start::main;

/// Prints to a terminal or pipe whose end may be gone; that is no reason to end.
pub(crate) fn say(to: &mut impl std::io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
