//! Turns at the costly pages. One is made at a time, and the processor is left alone between two; what is made is for all
//! who were waiting when it was begun, so a thousand scrapes at once cost a few.

use std::time::Instant;

use tokio::sync::Mutex;
use tokio::time::{Instant as Moment, sleep_until};

use super::page::{Page, Whole};

/// Costly pages may take one part of the processor's time in so many.
const SHARE: u32 = 5;

/// Whose turn it is.
#[derive(Default)]
pub struct Turns(Mutex<Last>);

/// What was made last.
#[derive(Default)]
struct Last {
    /// Of each kind of page the last one, as long as somebody waits who may be given it.
    made: Vec<Made>,
    /// When the next may be made.
    rested: Option<Moment>,
}

struct Made {
    page: Page,
    begun: Instant,
    whole: Whole,
}

impl Turns {
    /// Makes the page when its turn has come, unless another has made it since it was asked for.
    pub async fn take(&self, page: Page, make: impl FnOnce() -> Whole) -> Whole {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        let whole = match last.made_since(asked, page) {
            Some(whole) => whole,
            None => last.make(page, make).await,
        };
        drop(last);
        // The turn has gone to whoever waits; if to nobody, nothing is kept.
        if let Ok(mut last) = self.0.try_lock() {
            last.made.clear();
        }
        whole
    }
}

impl Last {
    fn made_since(&self, asked: Instant, page: Page) -> Option<Whole> {
        let made = self.made.iter().find(|made| made.page == page && made.begun >= asked)?;
        Some(made.whole.clone())
    }

    async fn make(&mut self, page: Page, make: impl FnOnce() -> Whole) -> Whole {
        if let Some(rested) = self.rested {
            sleep_until(rested).await;
        }
        let begun = Instant::now();
        let whole = make();
        let took = begun.elapsed();
        self.rested = Some(Moment::now() + took * (SHARE - 1));
        if page.is_common() {
            self.made.retain(|made| made.page != page);
            self.made.push(Made { page, begun, whole: whole.clone() });
        }
        whole
    }
}
