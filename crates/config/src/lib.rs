//! The `supervisord.conf` dialect and its typed configuration.
//!
//! Reading goes text → [`ini`] → `%` expansion → converters → [`model::Config`]. Nothing here touches the
//! system: whatever must be asked (files, users, directories, the environment) goes through [`host::Host`].

mod accounts;
mod assemble;
mod check;
pub mod client;
pub mod client_user;
pub mod command_line;
mod complaint;
pub mod convert;
pub mod date_format;
pub mod dependency;
pub mod diff;
pub mod disk_reserve;
pub mod drop_in;
pub mod duration;
pub mod environment;
pub mod environment_file;
mod error;
pub mod expand;
#[cfg(test)]
mod fake_host;
pub mod forward_target;
pub mod getopt;
mod glob;
#[cfg(test)]
mod golden;
mod health;
pub mod host;
pub mod host_port;
mod include;
pub mod ini;
pub mod line_pattern;
pub mod log_compression;
pub mod log_form;
mod misspelt;
pub mod model;
mod notices;
pub mod option_changes;
mod ordered;
mod origin;
mod pacing;
pub mod password_form;
mod path;
mod place;
pub mod probe;
pub mod program_patterns;
mod program_type;
pub mod pyrepr;
mod pytext;
mod python_name;
mod reader;
pub mod readiness;
pub mod reference;
pub mod resolved;
pub mod rotate_when;
pub mod sample;
#[cfg(feature = "samples")]
pub mod samples;
pub mod scale;
pub mod schema;
pub mod search;
pub mod secret;
pub mod selector;
pub mod shell_syntax;
pub mod signal;
mod stop_steps;
pub mod suggest;
pub mod synonyms;
pub mod syslog_code;
pub mod url_user;
pub mod value;
pub mod words;

pub use assemble::{Purpose, load, load_text, load_with, resolve_dependencies};
pub use check::{CheckedConfig, check};
pub use command_line::CommandLineFlags;
pub use complaint::Complaint;
pub use error::ConfigError;
pub use place::Place;
