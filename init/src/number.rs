//! Numbers as people write them.

/// A decimal number without sign.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// A number of seconds, with up to nine digits after the point, as nanoseconds.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<u64> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole = decimal(parts.next()?)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = parts.next() {
        let length = u32::try_from(fraction.len()).ok()?;
        nanoseconds = decimal(fraction)?.checked_mul(10_u64.pow(9_u32.checked_sub(length)?))?;
    }
    whole.checked_mul(SECOND)?.checked_add(nanoseconds)
}

/// A number in decimal digits.
pub struct Digits {
    bytes: [u8; Digits::MOST],
    from: usize,
}

impl Digits {
    /// As many as the longest number has.
    const MOST: usize = 20;

    /// The digits of `number`.
    #[must_use]
    pub fn of(mut number: u64) -> Digits {
        let mut digits = Digits { bytes: [b'0'; Digits::MOST], from: Digits::MOST };
        for (index, place) in digits.bytes.iter_mut().enumerate().rev() {
            *place = b'0' + (number % 10) as u8;
            digits.from = index;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    /// As text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds(b"10"), Some(10_000_000_000));
        assert_eq!(seconds(b"0.25"), Some(250_000_000));
        assert_eq!(seconds(b"1.000000001"), Some(1_000_000_001));
    }

    #[test]
    fn what_is_not_a_number_of_seconds_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "x", "1.0000000000", "18446744074"] {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn digits_are_as_everywhere() {
        for number in [0, 7, 10, 4711, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(Digits::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
