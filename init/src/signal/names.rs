//! The names of signals, as kill(1) takes and signal(7) has them.
use super::Signal;

/// The first real-time signal that programs may use: the C libraries keep 32 and 33.
const FIRST_REAL_TIME: i32 = 34;
/// The last one.
const LAST_REAL_TIME: i32 = 64;

/// Names that are the same on every architecture that we build for, with their numbers.
const NAMES: [(&[u8], i32); 34] = [
    (b"HUP", libc::SIGHUP),
    (b"INT", libc::SIGINT),
    (b"QUIT", libc::SIGQUIT),
    (b"ILL", libc::SIGILL),
    (b"TRAP", libc::SIGTRAP),
    (b"ABRT", libc::SIGABRT),
    (b"BUS", libc::SIGBUS),
    (b"FPE", libc::SIGFPE),
    (b"KILL", libc::SIGKILL),
    (b"USR1", libc::SIGUSR1),
    (b"SEGV", libc::SIGSEGV),
    (b"USR2", libc::SIGUSR2),
    (b"PIPE", libc::SIGPIPE),
    (b"ALRM", libc::SIGALRM),
    (b"TERM", libc::SIGTERM),
    (b"STKFLT", libc::SIGSTKFLT),
    (b"CHLD", libc::SIGCHLD),
    (b"CONT", libc::SIGCONT),
    (b"STOP", libc::SIGSTOP),
    (b"TSTP", libc::SIGTSTP),
    (b"TTIN", libc::SIGTTIN),
    (b"TTOU", libc::SIGTTOU),
    (b"URG", libc::SIGURG),
    (b"XCPU", libc::SIGXCPU),
    (b"XFSZ", libc::SIGXFSZ),
    (b"VTALRM", libc::SIGVTALRM),
    (b"PROF", libc::SIGPROF),
    (b"WINCH", libc::SIGWINCH),
    (b"IO", libc::SIGIO),
    (b"PWR", libc::SIGPWR),
    (b"SYS", libc::SIGSYS),
    // Other names of the same, which are read and never written.
    (b"IOT", libc::SIGIOT),
    (b"POLL", libc::SIGPOLL),
    (b"CLD", libc::SIGCHLD),
];

impl Signal {
    /// Reads a number from 1 to 64 or a name, with or without `SIG`, in capitals or not, the
    /// real-time signals as `RTMIN`, `RTMIN+3`, `RTMAX-3`, `RTMAX`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Signal> {
        if let Some(number) = crate::number::decimal(text) {
            return Signal::new(i32::try_from(number).ok()?);
        }
        let name = after(text, b"SIG").unwrap_or(text);
        if let Some(offset) = after(name, b"RTMIN") {
            return real_time(FIRST_REAL_TIME, offset, b'+');
        }
        if let Some(offset) = after(name, b"RTMAX") {
            return real_time(LAST_REAL_TIME, offset, b'-');
        }
        let (_, number) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Signal::new(*number)
    }

    /// Its name without `SIG`; `None` for the real-time signals, which have numbers only.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let (name, _) = NAMES.iter().find(|(_, number)| *number == self.number())?;
        core::str::from_utf8(name).ok()
    }
}

/// What follows on a prefix in capitals or not.
fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A real-time signal that is `offset`, such as `+3`, away from another.
fn real_time(from: i32, offset: &[u8], sign: u8) -> Option<Signal> {
    let distance = match offset.split_first() {
        None => 0,
        Some((first, digits)) if *first == sign => {
            i32::try_from(crate::number::decimal(digits)?).ok()?
        }
        Some(_) => return None,
    };
    let number = if sign == b'+' { from.checked_add(distance) } else { from.checked_sub(distance) };
    number
        .filter(|number| (FIRST_REAL_TIME..=LAST_REAL_TIME).contains(number))
        .and_then(Signal::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<i32> {
        Signal::parse(text.as_bytes()).map(Signal::number)
    }

    #[test]
    fn a_signal_is_a_number_or_a_name_with_or_without_sig() {
        for text in ["15", "TERM", "SIGTERM", "sigterm", "Term"] {
            assert_eq!(number(text), Some(15), "{text}");
        }
        assert_eq!(number("1"), Some(1));
        assert_eq!(number("64"), Some(64));
    }

    #[test]
    fn real_time_signals_count_from_either_end() {
        assert_eq!(number("RTMIN"), Some(34));
        assert_eq!(number("SIGRTMIN+3"), Some(37));
        assert_eq!(number("RTMAX-1"), Some(63));
        assert_eq!(number("RTMAX"), Some(64));
        assert_eq!(number("RTMIN+30"), Some(64));
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in [
            "",
            "0",
            "65",
            "-1",
            "+15",
            "SIG",
            "TERMS",
            "RTMIN+31",
            "RTMIN-1",
            "RTMAX+1",
            "RTMAX-31",
            "RTMIN+",
            "SIGSIGTERM",
            "RTMIN+99999999999999999999",
            "15 ",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_name_is_read_back_as_the_signal_that_has_it() {
        for signal in (1..=64).filter_map(Signal::new) {
            match signal.name() {
                Some(name) => assert_eq!(Signal::parse(name.as_bytes()), Some(signal)),
                None => assert!(signal.number() >= 32),
            }
        }
    }
}
