//! A real Prometheus on loopback, with a folder of its own, that scrapes one server and evaluates the shipped rules.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::Value;
use tempfile::TempDir;

use crate::PATIENCE;
use crate::rules::RULES;

/// A running Prometheus; it ends with this.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// One series of an answer.
pub struct Series {
    pub labels: Value,
    pub value: f64,
}

impl Prometheus {
    pub fn start(target: SocketAddr) -> Prometheus {
        let folder = TempDir::new().unwrap();
        let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES);
        let configuration = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s }}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{ job_name: kakehashi, static_configs: [{{ targets: ['{target}'] }}] }}]\n",
            rules.display()
        );
        std::fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
        let mut child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=info"])
            .args(["--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, address) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, at)) = line.split_once("\"Listening on\" address=") {
                    let _ = sender.send(at.trim().parse().unwrap());
                }
            }
        });
        let Ok(address) = address.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("prometheus never said where it listens");
        };
        Prometheus { child, address, _folder: folder }
    }

    /// What its interface says; its own word for a fault, where it has one.
    pub fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let encoded = |text: &str| text.bytes().map(|octet| format!("%{octet:02X}")).collect::<String>();
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/v1/{path}?{} HTTP/1.0\r\n\r\n", pairs.join("&")).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let mut answer: Value = serde_json::from_str(body).map_err(|fault| format!("{fault}: {text}"))?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["data"].take()),
        }
    }

    /// Evaluates an expression now.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>, String> {
        let data = self.ask("query", &[("query", expression)])?;
        let one = |series: &Value| Series {
            labels: series["metric"].clone(),
            value: series["value"][1].as_str().unwrap().parse().unwrap(),
        };
        Ok(data["result"].as_array().unwrap().iter().map(one).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
