//! Time that passes when nothing else is to be done.

use std::time::Duration;

use tokio::task::spawn_local;

/// The clock moves so far at once: a response that has come is looked at before it moves again. As long as the pipeline
/// itself takes to notice the end of a wait; what is counted by time below allows for a few of them.
pub const TICK: Duration = Duration::from_millis(10);

/// From now on time is virtual, on this runtime.
pub fn begin() {
    tokio::time::pause();
    spawn_local(async {
        loop {
            pass(TICK).await;
        }
    });
}

/// Lets so much time pass.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
