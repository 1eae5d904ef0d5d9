//! A browser, driven over WebDriver (W3C): plain HTTP and JSON to a chromedriver of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{PATIENCE, port, wait};

/// A running browser; it ends with this.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// Kept until the end.
    profile: tempfile::TempDir,
}

/// The width and height of a window.
pub const DESKTOP: (u32, u32) = (1280, 900);
pub const PHONE: (u32, u32) = (390, 844);

/// Keys as WebDriver writes them.
pub const TAB: &str = "\u{E004}";
pub const ENTER: &str = "\u{E007}";

impl Browser {
    /// Starts one whose user prefers `language`. Where there is none it says so and gives nothing; with `CI` set it
    /// fails.
    pub fn start(language: &str) -> Option<Browser> {
        let address = port::free();
        let port = address.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(fault) => {
                assert!(std::env::var_os("CI").is_none(), "chromedriver (package chromium-driver): {fault}");
                println!("SKIPPED: chromedriver of chromium-driver, without which no page is seen: {fault}");
                return None;
            }
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let started = lines.map_while(Result::ok).any(|line| line.contains("started successfully"));
        assert!(started, "chromedriver did not start");
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Browser { driver, address, session: String::new(), profile };
        let folder = browser.profile.path().display().to_string();
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            format!("--user-data-dir={folder}"),
            format!("--lang={language}"),
        ]);
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments, "prefs": {"intl.accept_languages": language}},
        }}});
        let session = browser.order("POST", "/session", &wanted);
        session["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        Some(browser)
    }

    /// Opens a page in a window of this size.
    pub fn open(&self, address: &str, (width, height): (u32, u32)) {
        self.resize((width, height));
        self.command("POST", "/url", &json!({ "url": address }));
    }

    /// Gives the page this size.
    pub fn resize(&self, (width, height): (u32, u32)) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets what the system prefers: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub fn prefer(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// Runs a function body in the page; gives what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The text of an element.
    pub fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({}).innerText", json!(selector));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    /// The number that an element's text begins with.
    pub fn number(&self, selector: &str) -> Option<f64> {
        let text = self.text(selector).replace(',', "");
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        digits.parse().ok()
    }

    /// Waits until an element's text is as wanted.
    pub fn until(&self, selector: &str, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait::until(what, PATIENCE, || {
                last = self.text(selector);
                is_so(&last).then(|| last.clone())
            })
        }));
        waited.unwrap_or_else(|_| panic!("{what}: {selector} says {last:?}\n{:#?}", self.log()))
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let strokes =
            keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        let strokes: Vec<Value> = strokes.collect();
        self.command(
            "POST",
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]}),
        );
    }

    /// Types a text wherever the focus is.
    pub fn write(&self, text: &str) {
        let keys: Vec<String> = text.chars().map(String::from).collect();
        self.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// What the page's console has said since the last time, what the policy forbade included.
    pub fn log(&self) -> Vec<String> {
        let said = self.command("POST", "/se/log", &json!({"type": "browser"}));
        said.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Leaves a picture of the whole page in target/dashboard/.
    pub fn picture(&self, name: &str) {
        let height = self.run("return document.documentElement.scrollHeight").as_u64().unwrap();
        let width = self.run("return innerWidth").as_u64().unwrap();
        let before = self.run("return innerHeight").as_u64().unwrap();
        self.resize((width as u32, height as u32));
        let encoded = self.command("GET", "/screenshot", &Value::Null);
        self.resize((width as u32, before as u32));
        let octets = data_encoding::BASE64.decode(encoded.as_str().unwrap().as_bytes()).unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/dashboard");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), octets).unwrap();
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.order(method, &format!("/session/{}{path}", self.session), body)
    }

    fn order(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        // The driver keeps the connection open, whatever it is asked.
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        for line in answer.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut document = vec![0; length];
        answer.read_exact(&mut document).unwrap();
        let value: Value = serde_json::from_slice(&document).unwrap();
        assert!(value["value"].get("error").is_none(), "{method} {path} {body}: {}", value["value"]);
        value["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also when the test has failed: a browser that is not told to end goes on without its driver.
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = write!(
                stream,
                "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\n{{}}",
                self.session, self.address
            );
            let _ = stream.read(&mut [0; 1 << 10]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
