//! Where frames go: a reader at the other end of a socket, or a file.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::frame::{CONTROL_MAX, Control};
use crate::observe::log::Rotation;
use crate::observe::log::file::{LogFile, Reopened};

/// How long a reader may take to connect and to answer a control frame.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long one write may wait for room.
const WRITE: Duration = Duration::from_millis(500);
/// How long a TCP peer may leave what was sent unacknowledged (tcp(7), TCP_USER_TIMEOUT).
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Where frames shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A reader that listens on this unix socket.
    Unix(PathBuf),
    /// A reader that listens here.
    Tcp(SocketAddr),
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// When it gives way to a new one.
        rotation: Rotation,
    },
}

impl Target {
    /// As the configuration writes it.
    pub fn text(&self) -> String {
        match self {
            Target::Unix(path) => format!("unix:{}", path.display()),
            Target::Tcp(address) => format!("tcp:{address}"),
            Target::File { path, .. } => format!("file:{}", path.display()),
        }
    }
}

/// An open target.
pub(super) enum Outlet {
    Unix(UnixStream),
    Tcp(TcpStream),
    File(LogFile),
}

impl Outlet {
    /// Opens a target and begins its stream. Also gives what is to be written before the first frame.
    pub(super) fn open(target: &Target, unix: Duration) -> io::Result<(Outlet, Vec<u8>)> {
        let mut outlet = match target {
            Target::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(HANDSHAKE))?;
                stream.set_write_timeout(Some(WRITE))?;
                Outlet::Unix(stream)
            }
            Target::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, HANDSHAKE)?;
                stream.set_read_timeout(Some(HANDSHAKE))?;
                stream.set_write_timeout(Some(WRITE))?;
                socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
                Outlet::Tcp(stream)
            }
            Target::File { path, rotation } => return open_file(path, rotation, unix),
        };
        outlet.write_all(&Control::Ready.frame())?;
        outlet.expect(Control::Accept)?;
        outlet.write_all(&Control::Start.frame())?;
        Ok((outlet, Vec::new()))
    }

    /// Ends the stream: a reader gets time to say that it has it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.write_all(&Control::Stop.frame())?;
        match self {
            Outlet::File(_) => Ok(()),
            Outlet::Unix(_) | Outlet::Tcp(_) => self.expect(Control::Finish),
        }
    }

    /// Whether the reader has gone. It says nothing before it is told to finish, so what can be read is an end.
    pub(super) fn has_gone(&self) -> bool {
        let mut octet = [std::mem::MaybeUninit::new(0)];
        let peeked = match self {
            Outlet::Unix(stream) => peek(&socket2::SockRef::from(stream), &mut octet),
            Outlet::Tcp(stream) => peek(&socket2::SockRef::from(stream), &mut octet),
            Outlet::File(_) => return false,
        };
        !matches!(peeked, Err(fault) if fault.kind() == io::ErrorKind::WouldBlock)
    }

    fn expect(&mut self, wanted: Control) -> io::Result<()> {
        let mut head = [0; 8];
        self.read_exact(&mut head)?;
        let [_, _, _, _, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        let is_control = head.starts_with(&[0; 4]) && length <= CONTROL_MAX;
        let mut body = vec![0; if is_control { length } else { 0 }];
        self.read_exact(&mut body)?;
        if Control::read(&body) == Some(wanted) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the reader does not take dnstap in Frame Streams"))
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Outlet::File(_))
    }

    /// The file, if it is one.
    pub(super) fn file(&mut self) -> Option<&mut LogFile> {
        match self {
            Outlet::File(file) => Some(file),
            Outlet::Unix(_) | Outlet::Tcp(_) => None,
        }
    }
}

fn peek(socket: &socket2::SockRef<'_>, octet: &mut [std::mem::MaybeUninit<u8>]) -> io::Result<usize> {
    socket.recv_with_flags(octet, libc::MSG_PEEK | libc::MSG_DONTWAIT)
}

/// A stream has one beginning, so a file that holds one already is put away like one that is full.
fn open_file(path: &Path, rotation: &Rotation, unix: Duration) -> io::Result<(Outlet, Vec<u8>)> {
    let mut file = LogFile::open(path, rotation)?;
    if file.holds_something() {
        file.rotate(unix)?;
    }
    file.touch(unix);
    Ok((Outlet::File(file), Control::Start.frame()))
}

/// Begins a new file if it is time; gives what that is to begin with.
pub(super) fn rotate(file: &mut LogFile, more: usize, unix: Duration) -> io::Result<Option<Vec<u8>>> {
    if !file.is_full(more, unix) {
        return Ok(None);
    }
    end(file);
    file.rotate(unix)?;
    Ok(Some(Control::Start.frame()))
}

/// Begins a new file if somebody has moved the old one; gives what that is to begin with.
pub(super) fn reopen(file: &mut LogFile, unix: Duration) -> io::Result<Option<Vec<u8>>> {
    if !file.is_moved() {
        return Ok(None);
    }
    end(file);
    again(file, unix)
}

/// The stream ends in the file that it began in; where that has no room for it, it ends without.
fn end(file: &mut LogFile) {
    let _ = file.write(&Control::Stop.frame());
}

/// Opens a file's path anew after a fault; gives what a new file is to begin with.
pub(super) fn again(file: &mut LogFile, unix: Duration) -> io::Result<Option<Vec<u8>>> {
    if file.reopen()? == Reopened::Same {
        return Ok(None);
    }
    if file.holds_something() {
        file.rotate(unix)?;
    }
    file.touch(unix);
    Ok(Some(Control::Start.frame()))
}

impl Read for Outlet {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Outlet::Unix(stream) => stream.read(into),
            Outlet::Tcp(stream) => stream.read(into),
            Outlet::File(_) => Ok(0),
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Outlet::Unix(stream) => stream.write(bytes),
            Outlet::Tcp(stream) => stream.write(bytes),
            Outlet::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
