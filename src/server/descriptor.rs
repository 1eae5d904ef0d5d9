//! File descriptors: as many as may be had, and TCP clients must not take them all.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More than this is of no use to us.
const ENOUGH: u64 = 1 << 16;
/// The share of TCP clients. The rest is for ports towards upstreams, without which nothing can be forwarded, and for
/// what every worker has open.
const SHARE: usize = 4;

/// Raises the soft limit, which is for programs that still use select(2), to the hard one; gives what there is then.
pub fn raise() -> usize {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.and_then(|(soft, hard)| {
        let wanted = soft.max(hard.min(ENOUGH));
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map(|()| wanted)
    });
    let descriptors = raised.unwrap_or_else(|error| {
        tracing::warn!("the limit on file descriptors stays as it is: {error}");
        limits.map_or(1024, |(soft, _)| soft)
    });
    usize::try_from(descriptors).unwrap_or(usize::MAX)
}

/// Of so many TCP clients that are allowed, those that there are descriptors for.
pub fn for_tcp(allowed: usize, descriptors: usize) -> usize {
    let fitting = descriptors / SHARE;
    if allowed > fitting {
        tracing::warn!(
            "{fitting} TCP clients at most, not {allowed}: there are only {descriptors} file descriptors (LimitNOFILE=, ulimit -n)"
        );
    }
    allowed.min(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_clients_leave_three_quarters_of_the_descriptors_to_others() {
        assert_eq!(for_tcp(1000, 65_536), 1000);
        assert_eq!(for_tcp(1000, 1024), 256);
        assert_eq!(for_tcp(10, 64), 10);
    }
}
