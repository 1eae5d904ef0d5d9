//! Commit-confirmed: a configuration in force for a while, and what was before back in force unless somebody says keep it.
//!
//! What was before stays in memory, whole. Nothing is written: a server that is killed in between starts with the file
//! that it was started with before.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Value, json};

use super::build::build;
use super::reload::{InForce, Kept, NOTHING_ON_TRIAL, OnTrial, read};
use super::reloads::Awaiting;
use super::trial::{Answered, Counts, Lately, Trial};
use crate::config;
use crate::listen::clock;

impl InForce {
    /// Puts a configuration on trial.
    pub(super) fn apply(&mut self, file: PathBuf, within: Duration) -> Result<Value, String> {
        if let Some(on_trial) = &self.trial {
            return Err(format!(
                "{} is on trial already; confirm or cancel it first",
                on_trial.file.display()
            ));
        }
        self.startup_says_what_is_in_force()?;
        let (config, built) = read(&file, &self.inventory)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let now = clock::now().monotonic;
        let limits = self.config.load().apply.clone();
        let on_trial = OnTrial {
            trial: Trial { limits, ends: now + within, before: self.lately.until(&self.answered()) },
            snapshot: self.shared.snapshot().clone(),
            config: self.config.load_full(),
            inventory: self.inventory.clone(),
            file,
        };
        self.put_in_force(config, built);
        self.begin_to_count();
        let file = on_trial.file.display().to_string();
        tracing::warn!("{file} is in force; without confirmation it is taken back in {} s", within.as_secs());
        self.show(Some(Awaiting { file: file.clone(), ends: now + within }), None);
        self.trial = Some(Box::new(on_trial));
        Ok(json!({ "applied": file, "confirm_within": within.as_secs(), "configured": self.path }))
    }

    /// A start reads the file that this server was started with. If that has changed since, a start during the trial would
    /// put in force what nobody confirmed.
    fn startup_says_what_is_in_force(&self) -> Result<(), String> {
        let same = config::load(&self.path).is_ok_and(|loaded| {
            let in_force = self.config.load();
            let texts =
                [&loaded.config, &**in_force].map(|config| config.sources.iter().map(|one| one.text()));
            let [now, then] = texts;
            let same = now.eq(then);
            // Zones of the same content are the same handles.
            same && build(&loaded.config, &self.inventory)
                .is_ok_and(|built| built.inventory.has_zones_of(&self.inventory))
        });
        let path = self.path.display();
        let changed = || {
            format!(
                "{path}, or a file that it names, has changed since it was loaded, and a restart would put that in force unconfirmed: reload first, or undo it and change a copy"
            )
        };
        same.then_some(()).ok_or_else(changed)
    }

    /// Keeps what is on trial.
    pub(super) fn confirm(&mut self, kept: Kept) -> Result<Value, String> {
        let on_trial = self.trial.take().ok_or(NOTHING_ON_TRIAL)?;
        let file = on_trial.file.display().to_string();
        if kept == Kept::AtItsPath {
            self.path = on_trial.file;
        }
        self.show(None, Some(format!("{file} was confirmed")));
        self.note(Ok(()));
        tracing::info!("{file} is confirmed");
        Ok(json!({ "confirmed": file, "configured": self.path }))
    }

    /// Puts back what was in force before the trial; `None`: there is none.
    pub(super) fn take_back(&mut self, why: &str) -> Option<Value> {
        let OnTrial { file, snapshot, config, inventory, .. } = *self.trial.take()?;
        self.put_back(snapshot, config, inventory);
        self.begin_to_count();
        let file = file.display().to_string();
        self.show(None, Some(format!("{file} was taken back: {why}")));
        tracing::warn!("{file} is taken back: {why}; the configuration of before is in force");
        Some(json!({ "taken_back": file, "why": why }))
    }

    /// Ends a trial whose time is over or that does harm; and remembers what was answered for the next.
    pub(super) fn look(&mut self) {
        let now = clock::now().monotonic;
        let (window, answered) = (self.window(), self.answered());
        let since = self.lately.until(&answered);
        self.lately.look(now, window, answered);
        let Some(on_trial) = &self.trial else { return };
        let why = on_trial.trial.objection(&since);
        let over = on_trial.trial.ends <= now;
        if let Some(why) = why.or_else(|| over.then(|| "nobody confirmed it in time".to_owned())) {
            self.take_back(&why);
        }
    }

    /// What was answered by another configuration says nothing about this one.
    fn begin_to_count(&mut self) {
        self.lately = Lately::default();
        let (window, answered) = (self.window(), self.answered());
        self.lately.look(clock::now().monotonic, window, answered);
    }

    fn answered(&self) -> Answered {
        let sums = self.metrics.sum();
        sums.by_view.iter().map(|(view, block)| (view.clone(), Counts::of(&block.responses))).collect()
    }

    fn show(&self, awaiting: Option<Awaiting>, ended: Option<String>) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        reloads.awaiting = awaiting;
        if ended.is_some() {
            reloads.last_trial = ended;
        }
    }
}
