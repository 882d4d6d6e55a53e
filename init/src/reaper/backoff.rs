//! How long a restart waits.
use crate::number::SECOND;

/// The delay before a restart: it doubles from 0.1 to 30 seconds, and begins anew once a process
/// has run for 10 seconds.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: u64,
}

impl Backoff {
    const SHORTEST: u64 = SECOND / 10;
    const LONGEST: u64 = 30 * SECOND;
    /// A process that has run so long was healthy.
    const HEALTHY: u64 = 10 * SECOND;

    /// Before anything has ended.
    #[must_use]
    pub const fn new() -> Backoff {
        Backoff { next: Backoff::SHORTEST }
    }

    /// The delay, in nanoseconds, after a process that ran for `ran` nanoseconds.
    pub fn delay(&mut self, ran: u64) -> u64 {
        if ran >= Backoff::HEALTHY {
            self.next = Backoff::SHORTEST;
        }
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(Backoff::LONGEST);
        delay
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_half_a_minute() {
        let mut backoff = Backoff::new();
        let tenths: Vec<u64> = (0..11).map(|_| backoff.delay(0) / (SECOND / 10)).collect();
        assert_eq!(tenths, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn the_delay_is_short_again_after_health() {
        let mut backoff = Backoff::new();
        for _ in 0..5 {
            backoff.delay(9 * SECOND);
        }
        assert_eq!(backoff.delay(10 * SECOND), SECOND / 10);
        assert_eq!(backoff.delay(0), SECOND / 5);
    }
}
