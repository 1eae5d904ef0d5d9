//! The test stand: a folder, the authority that everyone forwards to, and servers, of which one at a time is asked.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::load::{self, Clients, Outcome, Pace, Until};
use super::peer::{AUTHORITY, Launch, PORT};
use super::process::Process;
use super::question::{Domain, Names, Questions};

/// The core of the server.
pub const SERVER_CORE: &str = "0";
/// The core of all else.
pub const OTHER_CORE: &str = "1";
/// Queries under way in a load that knows no rate: as many as fit into the smallest socket buffer of those compared.
pub const WINDOW: usize = 192;
/// Ports that servers are given in turn: below those that the others ask upstream from.
const PORTS: Range<u16> = 500..1_000;
const START_WITHIN: Duration = Duration::from_secs(30);

/// The stand.
pub struct Stand {
    folder: tempfile::TempDir,
    programs: PathBuf,
    launches: u32,
    _authority: Process,
}

/// A server that answers.
pub struct Running {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddrV4,
    /// From its start to its first answer.
    pub start: Duration,
    /// Where it runs.
    pub folder: PathBuf,
}

impl Stand {
    /// Starts the authority.
    pub fn open() -> io::Result<Stand> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        let programs = std::env::current_exe()?;
        let programs = programs.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, AUTHORITY);
        let command =
            [format!("{}/examples/echo", programs.display()), address.to_string(), "authority".into()];
        let mut authority =
            Process::start(OTHER_CORE, &command, folder.path(), &folder.path().join("authority.out"))?;
        first_answer(&mut authority, address, Domain::Forwarded, Instant::now())?;
        Ok(Stand { folder, programs, launches: 0, _authority: authority })
    }

    /// Starts a server on its core and waits for its first answer.
    pub fn launch(&mut self, launch: &Launch, domain: Domain) -> io::Result<Running> {
        self.launch_on(SERVER_CORE, launch, domain)
    }

    /// The same on cores of one's choice.
    pub fn launch_on(&mut self, cores: &str, launch: &Launch, domain: Domain) -> io::Result<Running> {
        self.launches += 1;
        let folder = self.folder.path().join(self.launches.to_string());
        fs::create_dir(&folder)?;
        let port = PORTS.start + (self.launches % u32::from(PORTS.end - PORTS.start)) as u16;
        let with_port = |text: &String| text.replace(PORT, &port.to_string());
        for (name, text) in &launch.files {
            fs::write(folder.join(name), with_port(text))?;
        }
        let mut command: Vec<String> = launch.command.iter().map(with_port).collect();
        for word in &mut command {
            if let Some(program) = word.strip_prefix("@/") {
                *word = self.programs.join(program).display().to_string();
            }
        }
        if let Some(program) = command[0].strip_prefix("./") {
            fs::copy(Path::new("/usr/sbin").join(program), folder.join(program))?;
        }
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let output = folder.join("output");
        let begin = Instant::now();
        let mut process = Process::start(cores, &command, &folder, &output)?;
        let answered = first_answer(&mut process, address, domain, begin);
        let start = answered.map_err(|error| {
            let said = fs::read_to_string(&output).unwrap_or_default();
            io::Error::other(format!("{}: {error}\n{said}", launch.command.join(" ")))
        })?;
        Ok(Running { process, address, start, folder })
    }
}

impl Running {
    /// Asks so many questions at a gentle pace: what a load asks afterwards is cached.
    pub fn warm(&self, names: Names, domain: Domain, clients: Clients, count: u64) -> io::Result<Outcome> {
        let mut questions = Questions::new(names, domain);
        load::run(self.address, clients, &mut questions, Pace::Window(200), Until::Sent(count))
    }

    /// Megabytes of memory that are resident now.
    pub fn resident(&self) -> f64 {
        self.process.usage().resident_kib as f64 / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Asks until there is an answer; says how long that took.
fn first_answer(
    process: &mut Process,
    address: SocketAddrV4,
    domain: Domain,
    begin: Instant,
) -> io::Result<Duration> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut query = Vec::new();
    Questions::new(Names::Each(1), domain).write(1, (b'h', 0), &mut query);
    let mut response = [0; 512];
    while begin.elapsed() < START_WITHIN && !process.has_ended() {
        let answered = socket.send(&query).and_then(|_| socket.recv(&mut response));
        match answered {
            Ok(length) if length >= query.len() && response[3].trailing_zeros() >= 4 => {
                return Ok(begin.elapsed());
            }
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}
