//! The `supervisord.conf` dialect and its typed configuration.
//!
//! Reading goes text → [`ini`] → `%` expansion → converters → [`model::Config`]. Nothing here touches the
//! system: whatever must be asked (files, users, directories, the environment) goes through [`host::Host`].

pub mod host;
pub mod model;
