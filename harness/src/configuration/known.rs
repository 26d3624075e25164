//! Conditions of which some are not known: `None` in the place of a yes or a no.

/// Whether one holds.
pub(super) fn any(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut so_far = Some(false);
    for condition in conditions {
        match condition {
            Some(true) => return Some(true),
            Some(false) => {}
            None => so_far = None,
        }
    }
    so_far
}

/// Whether all hold.
pub(super) fn all(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    not(any(conditions.into_iter().map(not)))
}

/// The contrary.
pub(super) fn not(condition: Option<bool>) -> Option<bool> {
    condition.map(|holds| !holds)
}
