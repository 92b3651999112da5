//! What clients may use, and for how long.

use std::time::Duration;

/// How many clients may wait to be accepted.
pub const BACKLOG: u32 = 1024;

/// Time and size limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the head of a request may take, from its first byte; for the first one from the connection.
    pub head: Duration,
    /// How long an answered client may say nothing. Longer than the longest tick (one hour), because event listeners
    /// keep one connection for all their calls and do not open another when it is closed.
    pub idle: Duration,
    /// How long the body of a request may stand still.
    pub body: Duration,
    /// How long the whole body of a request may take.
    pub whole_body: Duration,
    /// How long it may stand still while others wait for the memory that is reserved for it.
    pub body_in_demand: Duration,
    /// How long the whole of it may take while others wait.
    pub whole_body_in_demand: Duration,
    /// How long a client may leave a reply untaken; a followed log may be left for ever.
    pub reply: Duration,
    /// How long the rest of what a refused client sends is read, so that it sees the refusal and not a broken connection.
    pub linger: Duration,
    /// How many bytes the head of a request may have; at least 8192.
    pub head_bytes: usize,
    /// How many bytes the body of a request may have.
    pub body_bytes: usize,
    /// How many bytes all bodies under way may have together.
    pub all_bodies_bytes: usize,
    /// How many bytes all streams may have on their way together, beside one piece of each.
    pub all_streams_bytes: usize,
    /// How many calls may be under way. They go on when their clients leave, so connections do not limit them.
    pub calls: usize,
    /// How many connections all servers may hold together, at least one each, however many descriptors there are.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: Duration::from_secs(30),
            idle: Duration::from_secs(2 * 3600),
            body: Duration::from_secs(30),
            whole_body: Duration::from_secs(300),
            body_in_demand: Duration::from_secs(2),
            whole_body_in_demand: Duration::from_secs(20),
            reply: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            head_bytes: 64 << 10,
            body_bytes: 16 << 20,
            all_bodies_bytes: 64 << 20,
            all_streams_bytes: 16 << 20,
            calls: 1024,
            connections: 8192,
        }
    }
}
