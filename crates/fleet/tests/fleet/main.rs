//! The fleet from outside: a real NATS server, real agents and clients, real and stub daemons.

#![expect(clippy::print_stdout, reason = "the output is for the user of the command")]

mod browser;
mod commands;
mod credentials;
mod cuts;
mod example;
mod followed_logs;
mod guides;
mod harness;
mod hub;
mod many;
mod permissions;
mod pretended_hosts;
mod python_members;
mod tls;
mod verbs;
