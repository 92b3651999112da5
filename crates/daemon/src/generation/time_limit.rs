//! Work on a disk that may hang.

use std::time::Duration;

use crate::output::answer::receive_within;

/// Does something that touches a disk, and leaves it alone when that takes too long: a disk that hangs must not keep the
/// daemon alive.
pub(super) fn within(thread: &str, limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (order, orders) = std::sync::mpsc::channel();
    let (done, finished) = std::sync::mpsc::channel();
    let worker = std::thread::Builder::new().name(thread.to_owned()).spawn(move || {
        orders.into_iter().for_each(|work: Box<dyn FnOnce() + Send>| work());
        let _ = done.send(());
    });
    match worker {
        Ok(_) => {
            let _ = order.send(Box::new(work));
            drop(order);
            receive_within(&finished, limit);
        }
        // Where there is no room for a thread, nothing but a long wait is to be feared.
        Err(_) => work(),
    }
}
