//! Which failures pass, and how long to wait before the next try.

use std::time::{Duration, SystemTime};

/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_mins(1);
/// Pause before the second try; it doubles each time.
const FIRST: Duration = Duration::from_millis(250);

/// Whether a service that answers with this status may answer later.
pub(crate) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// The pause after the `failed`-th failure, from 1. A service may state it (`Retry-After`), in seconds or as a date; else it grows,
/// and the connections come at different times, because each has a number of its own.
pub(crate) fn pause(failed: u32, stated: Option<&str>, connection: u64, now: SystemTime) -> Duration {
    let stated = stated.map(str::trim).and_then(|stated| match stated.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(stated).ok()?.duration_since(now).unwrap_or_default()),
    });
    if let Some(stated) = stated {
        return stated.min(LONGEST);
    }
    let grown = FIRST.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST);
    // From half of it to all of it: a Weyl sequence over connections and failures, so that no clock is needed.
    let turn = connection.wrapping_mul(7).wrapping_add(u64::from(failed)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    grown / 2 + grown.mul_f64(0.5 * turn as f64 / 256.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let at = |failed, stated, connection| pause(failed, stated, connection, now);
        for failed in 1..40 {
            let expected = FIRST.saturating_mul(2_u32.saturating_pow(failed - 1)).min(LONGEST);
            let found = at(failed, None, 3);
            assert!(found >= expected / 2 && found <= expected, "{failed}: {found:?}");
        }
        assert_ne!(at(3, None, 0), at(3, None, 1));
        assert_eq!(at(1, Some(" 7 "), 0), Duration::from_secs(7));
        assert_eq!(at(1, Some("86400"), 0), LONGEST, "a service cannot stop a scan for a day");
        assert_eq!(at(1, Some("Sun, 06 Nov 1994 08:49:47 GMT"), 0), Duration::from_secs(10));
        assert_eq!(at(1, Some("Sun, 06 Nov 1994 08:49:00 GMT"), 0), Duration::ZERO);
        assert!(at(1, Some("soon"), 0) <= FIRST);
    }

    #[test]
    fn mistakes_do_not_pass() {
        assert!([429, 500, 502, 503, 504].into_iter().all(may_pass));
        assert!(![200, 301, 400, 401, 403, 404, 413, 422, 501].into_iter().any(may_pass));
    }
}
