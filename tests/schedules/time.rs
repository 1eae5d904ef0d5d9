//! Time that passes when nothing else is to be done.

use std::time::Duration;

use tokio::task::spawn_local;

/// The clock moves so far at once: a response that has come is looked at before it moves again.
const TICK: Duration = Duration::from_millis(2);

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
