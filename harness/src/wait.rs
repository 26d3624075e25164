//! The one function that waits: for a fact, with a deadline and a name.

use std::time::{Duration, Instant};

/// How long the fact is left alone before it is looked at again.
const PAUSE: Duration = Duration::from_millis(2);

/// A fact that did not come true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} did not happen within {}", spelled(.limit))]
pub struct Late {
    /// The fact.
    pub what: String,
    /// How long it was waited for.
    pub limit: Duration,
}

/// Looks at a fact until it is there. `what` completes the sentence "… did not happen within 10 s":
/// `nginx to answer on 127.0.0.1:8443`. A fact that takes long to look at is given up at the deadline.
///
/// # Errors
/// [`Late`] when the fact is not there within the limit.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use tls_gauntlet::wait;
///
/// assert_eq!(wait::until(Duration::from_secs(1), "seven", async || Some(7)).await, Ok(7));
/// let late = wait::until(Duration::ZERO, "a miracle", async || None::<()>).await.unwrap_err();
/// assert_eq!(late.to_string(), "a miracle did not happen within 0 s");
/// # });
/// ```
#[allow(clippy::disallowed_methods, reason = "this is the one place that waits")]
// No `AsyncFnMut`: nothing can say yet that the future of one is `Send`, and then no future that waits would be.
pub async fn until<T, Look>(limit: Duration, what: &str, mut look: impl FnMut() -> Look) -> Result<T, Late>
where
    Look: Future<Output = Option<T>>,
{
    let late = || Late { what: what.to_owned(), limit };
    let deadline = Instant::now() + limit;
    loop {
        match tokio::time::timeout_at(deadline.into(), look()).await {
            Ok(Some(fact)) => return Ok(fact),
            Ok(None) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Ok(None) | Err(_) => return Err(late()),
        }
    }
}

/// The turns of a pace, the first at once. Those that were missed are left out.
#[must_use]
pub fn pace(every: Duration) -> tokio::time::Interval {
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    turns
}

/// `10 s`, `1.5 s`, `20 ms`.
fn spelled(limit: &Duration) -> String {
    match limit.as_millis() {
        0 => "0 s".to_owned(),
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        _ => format!("{} s", limit.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(10_000, "nginx to answer did not happen within 10 s")]
    #[case(1_500, "nginx to answer did not happen within 1.5 s")]
    #[case(20, "nginx to answer did not happen within 20 ms")]
    fn a_late_fact_is_named(#[case] ms: u64, #[case] text: &str) {
        let late = Late { what: "nginx to answer".to_owned(), limit: Duration::from_millis(ms) };
        assert_eq!(late.to_string(), text);
    }

    #[tokio::test]
    async fn a_fact_that_hangs_is_given_up_at_the_deadline() {
        let limit = Duration::from_millis(1);
        let late = until(limit, "the end of time", std::future::pending::<Option<()>>).await.unwrap_err();
        assert_eq!(late.what, "the end of time");
    }

    #[tokio::test]
    async fn a_fact_is_looked_at_again() {
        let mut looks = 0;
        let fact = until(Duration::from_secs(60), "the third look", || {
            looks += 1;
            ready((looks == 3).then_some(looks))
        });
        assert_eq!(fact.await, Ok(3));
    }
}
