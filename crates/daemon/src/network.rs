//! The network plane: one thread that owns every connection and translates between clients and the supervisor.
//!
//! It decides nothing. What it is asked goes to the [`Api`](crate::api::Api), as it is or by way of XML-RPC.

pub mod listen;
pub mod passwords;

mod acceptor;
mod access;
mod admission;
mod api_v1;
mod assets;
mod auth;
mod connection;
mod dates;
mod limits;
mod logs;
mod metrics;
mod origin;
mod plane;
mod query;
mod reply;
mod request_body;
mod route;
mod service;
mod socket;
mod state;
mod stream_memory;
mod streams;
mod transport;
mod web;

pub use acceptor::IdleConnections;
pub use limits::Limits;
pub use plane::{NetworkHandle, PlaneTask, start, start_with, task, watching_task};
pub use state::PlaneState;

#[cfg(test)]
mod tests;
