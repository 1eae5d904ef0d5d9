//! The limit of the sockets: listens as the server does and answers every query with itself. What a query costs here is
//! what no server on these sockets can go below; `bench/run` takes it beside the others.
//!
//! `echo ADDRESS:PORT [WORKERS] [later]` — with `later` each answer takes the way of one that must be resolved.

use std::process::ExitCode;
use std::rc::Rc;

use kakehashi::listen::{Admit, ListenConfig, Listening, Service, start};
use kakehashi::query::{Now, Path};

/// When an answer is ready.
#[derive(Clone, Copy)]
enum Ready {
    Now,
    Later,
}

struct Echo(Ready);

impl Service for Echo {
    fn admit(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) -> Admit {
        match (self.0, packet.get(2)) {
            (_, None) => Admit::Drop,
            (Ready::Later, _) => Admit::Resolve,
            (Ready::Now, Some(flags)) => {
                let response = flags | 0x80;
                out.extend_from_slice(packet);
                out[2] = response;
                Admit::Reply
            }
        }
    }

    async fn resolve(self: Rc<Self>, packet: Box<[u8]>, _: Path, _: Now) -> Option<Vec<u8>> {
        let mut reply = packet.into_vec();
        *reply.get_mut(2)? |= 0x80;
        Some(reply)
    }

    fn overloaded(&self, _: &[u8], _: &Path, _: Now, _: &mut Vec<u8>) {}

    fn batch_done(&self) {}
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(Ok(address)) = arguments.next().map(|text| text.parse()) else {
        eprintln!("usage: echo ADDRESS:PORT [WORKERS] [later]");
        return ExitCode::FAILURE;
    };
    let workers = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let ready = if arguments.next().is_some() { Ready::Later } else { Ready::Now };
    let config = ListenConfig { dns: vec![address], workers, ..ListenConfig::default() };
    match start(&config, Vec::new(), move |_| Rc::new(Echo(ready))).map(Listening::join) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
