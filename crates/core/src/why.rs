//! Why a process is in the state it is in: the chain of causes, from what readers see of all processes.
//!
//! It is composed of the [rows](crate::row::Row) when somebody asks, so that it costs supervision nothing. The facts are typed;
//! [`Why::lines`] makes text of them.

mod advice;
mod explanation;
mod outlook;
mod text;

pub use explanation::{AwaitedWhy, Why};
pub use outlook::{Outlook, RestReason};
pub use text::{WhyClock, reason};

#[cfg(test)]
mod tests;
