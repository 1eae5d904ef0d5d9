//! A gate before a server: it lets some uploads through, then nothing, until it is opened again.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

pub struct Gate {
    pub port: u16,
    inside: Arc<Inside>,
}

struct Inside {
    server: u16,
    /// Uploads that may still pass.
    left: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// Before the server on this port of loopback; `uploads` may pass.
    pub fn before(server: u16, uploads: usize) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Arc::new(Inside { server, left: AtomicUsize::new(uploads), open: Mutex::default() });
        let shared = Arc::clone(&inside);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let inside = Arc::clone(&shared);
                std::thread::spawn(move || inside.pass(client));
            }
        });
        Gate { port, inside }
    }

    /// Whether it has let through what it may.
    pub fn is_shut(&self) -> bool {
        self.inside.left.load(SeqCst) == 0
    }

    pub fn open(&self) {
        self.inside.left.store(usize::MAX / 2, SeqCst);
    }
}

impl Inside {
    fn pass(&self, mut client: TcpStream) -> Option<()> {
        if self.left.load(SeqCst) == 0 {
            return None;
        }
        let mut server = TcpStream::connect(("127.0.0.1", self.server)).ok()?;
        self.open.lock().unwrap().extend([client.try_clone().ok()?, server.try_clone().ok()?]);
        let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
        std::thread::spawn(move || std::io::copy(&mut from, &mut to).map(|_| to.shutdown(Shutdown::Both)));
        let mut octets = vec![0; 64 << 10];
        loop {
            let count = client.read(&mut octets).ok().filter(|count| *count > 0)?;
            let uploads = octets[..count].windows(5).filter(|window| window == b"PUT /").count();
            for _ in 0..uploads {
                let let_through = self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
                if let_through.is_err() || self.left.load(SeqCst) == 0 {
                    // In the middle of the uploads under way, and of this one.
                    self.left.store(0, SeqCst);
                    for stream in self.open.lock().unwrap().drain(..) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    return None;
                }
            }
            server.write_all(&octets[..count]).ok()?;
        }
    }
}
