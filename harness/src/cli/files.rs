//! How many files this process may have open: every backend and every connection is one.

use rlimit::Resource;

use super::streams;

/// Raises the limit, which is 1024 on many systems, to what is needed, as far as it may be raised; says so where that is not
/// far enough. Higher than needed it is not made: what is started here inherits it, and some gateways size their tables by it.
pub(super) fn allow(needed: usize) {
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let Ok((soft, hard)) = Resource::NOFILE.get() else { return };
    if soft >= needed {
        return;
    }
    // Where the limit cannot be set, what needs it says what failed.
    let _ = Resource::NOFILE.set(needed.min(hard), hard);
    if hard < needed {
        streams::note(&format!(
            "warning: this process may have {hard} files open, and may need {needed}; raise the limit (ulimit -n), or ask for fewer"
        ));
    }
}

/// What so many ports need: themselves, as many connections, and what every process has.
pub(super) const fn for_ports(ports: usize) -> usize {
    ports * 2 + 512
}
