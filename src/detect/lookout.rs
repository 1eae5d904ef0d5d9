//! The detectors on the log thread: takes orders, hands findings on, never waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::query::{Directory, Onlooker, Sighting};

use super::alert::Alert;
use super::courier::{Courier, Targets};
use super::desk::{AlertCounts, Board, Desk};
use super::detector::Detector;
use super::settings::Settings;

/// The log thread's part.
pub struct Lookout {
    shared: Arc<Shared>,
    desk: Desk,
    running: Option<Running>,
    courier: Option<Courier>,
}

struct Running {
    detector: Detector,
    node: String,
    cooldown: Duration,
}

/// Gives it orders, and reads what it found.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    enabled: AtomicBool,
    ordered: AtomicBool,
    order: Mutex<Option<Settings>>,
    board: Arc<Board>,
}

/// Detectors that go by `settings`, and the handle to them.
pub fn start(settings: Settings) -> (Lookout, Control) {
    let control = Control { shared: Arc::default() };
    control.set(settings);
    let shared = Arc::clone(&control.shared);
    let desk = Desk::new(Arc::clone(&shared.board));
    (Lookout { shared, desk, running: None, courier: None }, control)
}

impl Control {
    /// Has the detectors go by other settings: at the next round of the log thread.
    pub fn set(&self, settings: Settings) {
        self.shared.enabled.store(settings.detect.enabled, Ordering::Relaxed);
        *self.shared.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        self.shared.ordered.store(true, Ordering::Release);
    }

    /// How many alerts there were.
    pub fn counts(&self) -> AlertCounts {
        self.shared.board.counts()
    }

    /// The latest alerts, the newest first.
    pub fn recent(&self) -> Vec<Arc<Alert>> {
        self.shared.board.recent()
    }

    /// Whether the detectors look.
    pub fn is_enabled(&self) -> bool {
        self.shared.enabled.load(Ordering::Relaxed)
    }
}

impl Onlooker for Lookout {
    fn is_wanted(&self) -> bool {
        self.shared.enabled.load(Ordering::Relaxed)
    }

    fn see(&mut self, seen: &Sighting<'_>, names: &Directory) {
        if self.shared.ordered.load(Ordering::Relaxed) {
            self.obey();
        }
        let Some(running) = &mut self.running else { return };
        running.detector.see(seen, names);
        for finding in running.detector.take() {
            let Some(alert) = self.desk.alert(finding, &running.node, running.cooldown) else { continue };
            tracing::warn!(target: "kakehashi::alert", "{}", alert.line());
            if let Some(courier) = &self.courier {
                courier.carry(&alert);
            }
        }
    }

    fn rest(&mut self, _: Duration) {
        if self.shared.ordered.load(Ordering::Relaxed) {
            self.obey();
        }
    }
}

impl Lookout {
    fn obey(&mut self) {
        self.shared.ordered.store(false, Ordering::Relaxed);
        let order = self.shared.order.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(settings) = order else { return };
        let targets =
            Targets { file: settings.detect.file.clone(), webhook: settings.detect.webhook.clone() };
        match &self.courier {
            Some(courier) => courier.turn(targets),
            None if settings.detect.enabled && targets != Targets::default() => {
                match Courier::start(targets, Arc::clone(&self.shared.board)) {
                    Ok(courier) => self.courier = Some(courier),
                    Err(fault) => {
                        tracing::error!("alerts go to the log only, no thread can be started: {fault}");
                    }
                }
            }
            None => {}
        }
        if !settings.detect.enabled {
            // Its memory goes back; what it had learned would be old when it is wanted again.
            self.running = None;
            return;
        }
        let (node, cooldown) = (settings.node.clone(), settings.detect.cooldown);
        let detector = match self.running.take() {
            Some(Running { mut detector, .. }) => {
                detector.set(settings);
                detector
            }
            None => Detector::new(settings),
        };
        self.running = Some(Running { detector, node, cooldown });
    }
}
