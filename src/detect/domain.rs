//! One domain: who knows it, and since when.

/// What is kept of a domain.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Domain {
    /// Which of 64 each client falls into.
    clients: u64,
    /// When it was first asked for, in seconds.
    first: u32,
}

impl Domain {
    /// A client asks for it that did not before.
    pub(super) fn meet(&mut self, client: u64, seconds: u32) {
        self.clients |= 1 << (client >> 20 & 63);
        if self.first == 0 {
            self.first = seconds;
        }
    }

    /// How many clients at least ask for it.
    pub(super) fn clients(&self) -> u32 {
        self.clients.count_ones()
    }

    /// When it was first asked for.
    pub(super) fn first(&self) -> u32 {
        self.first
    }
}
