//! The line that each request leaves in the activity log.

use std::fmt;

use hyper::{Request, Version};
use supervisord_config::model::LogLevel;
use supervisord_core::actor::Client;
use supervisord_core::row::{LocalTime, MONTHS};

use crate::activity::Activity;
use crate::api::Api;
use crate::network::reply::Reply;

/// A request as its line shows it.
pub struct Access {
    peer: Peer,
    line: String,
}

impl Access {
    /// Notes what a request asks.
    pub fn of<B>(request: &Request<B>, client: Client, activity: &Activity) -> Access {
        if activity.wants(LogLevel::Blather) {
            activity.log(LogLevel::Blather, &format!("read event caused by <http client {}>", Peer(client)));
        }
        let version = if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        Access { peer: Peer(client), line: format!("{} {} {version}", request.method(), request.uri()) }
    }

    /// Writes the line: an error where the daemon itself failed, however the address is spelt, else a trace.
    pub fn log(&self, api: &Api, reply: &Reply) {
        let level = if reply.status.is_server_error() { LogLevel::Error } else { LogLevel::Trace };
        if api.activity.wants(level) {
            let at = stamp(&(api.clock.local)((api.clock.now)()));
            let (status, size) = (reply.status.as_u16(), reply.size());
            api.activity.log(level, &format!("{} - - [{at}] \"{}\" {status} {size}", self.peer, self.line));
        }
    }
}

/// A client as log lines show it: the original has nothing more for one on a socket in the file system.
pub struct Peer(pub Client);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Client::Inet(address) => write!(f, "{}:{}", address.ip(), address.port()),
            Client::Unix { .. } => f.write_str("localhost:0"),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// `20/Nov/2026:09:21:27 +0000`.
fn stamp(time: &LocalTime) -> String {
    let LocalTime { year, day, hour, minute, second, utc_offset, .. } = time;
    let sign = if *utc_offset < 0 { '-' } else { '+' };
    let offset = utc_offset.unsigned_abs() / 60;
    let (hours, minutes) = (offset / 60, offset % 60);
    let month = month(time);
    format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}")
}

/// `Fri Nov 20 09:20:42 2026`, with the day of the month padded by a blank, as C's `ctime` has it.
pub fn ctime(time: &LocalTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let LocalTime { year, day, hour, minute, second, weekday, .. } = time;
    let weekday = DAYS[(*weekday % 7) as usize];
    format!("{weekday} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}", month(time))
}

fn month(time: &LocalTime) -> &'static str {
    MONTHS[(time.month.clamp(1, 12) - 1) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: LocalTime =
        LocalTime { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7, weekday: 3, utc_offset: -12600 };

    #[test]
    fn the_stamp_has_the_offset_from_greenwich() {
        assert_eq!(stamp(&TIME), "04/Mar/2026:05:06:07 -0330");
        assert_eq!(stamp(&LocalTime { utc_offset: 3600, ..TIME }), "04/Mar/2026:05:06:07 +0100");
    }

    #[test]
    fn ctime_pads_the_day_with_a_blank() {
        assert_eq!(ctime(&TIME), "Wed Mar  4 05:06:07 2026");
    }
}
