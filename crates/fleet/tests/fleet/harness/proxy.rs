//! A network that can be cut: a TCP proxy which stops passing anything on, and loses what was on its way.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The proxy.
pub struct Proxy {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    is_slow: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Passes on to a port.
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (is_cut, is_slow, open): (Arc<AtomicBool>, Arc<AtomicBool>, Arc<Mutex<Vec<TcpStream>>>) =
            Default::default();
        let proxy = Proxy { port, is_cut: is_cut.clone(), is_slow: is_slow.clone(), open: open.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // In a cut network a connection is accepted by nobody; here it hangs, which takes as long.
                if is_cut.load(Ordering::SeqCst) {
                    open.lock().expect("no panic").push(client);
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let copy = |stream: &TcpStream| stream.try_clone().expect("a copy");
                open.lock().expect("no panic").extend([copy(&client), copy(&server)]);
                for (from, to) in [(copy(&client), copy(&server)), (server, client)] {
                    let (is_cut, is_slow) = (is_cut.clone(), is_slow.clone());
                    std::thread::spawn(move || pump(from, to, &is_cut, &is_slow));
                }
            }
        });
        proxy
    }

    /// From now on nothing gets through, and nobody is told.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    /// From now on, what is sent arrives late: when this is called with `false`.
    pub fn delay(&self, is_slow: bool) {
        self.is_slow.store(is_slow, Ordering::SeqCst);
    }

    /// New connections get through again; those from before are reset.
    pub fn mend(&self) {
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool, is_slow: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while is_slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !is_cut.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
