//! The files `supervise/status` and `supervise/stat` as runsv(8) writes them and sv(8) reads them;
//! pure.
use super::unit::{State, Unit, Want};
use rustix::process::Pid;
use unshared_init::number::SECOND;

/// The length of `supervise/status`.
pub(crate) const LENGTH: usize = 20;

/// What is added to the seconds since 1970 to make a TAI64 label: 2^62, and the 10 seconds by which
/// TAI was ahead then. Like runit's, it knows no leap seconds.
const TAI: u64 = (1 << 62) + 10;

/// What `supervise/status` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Status {
    /// The TAI64 label's seconds, since 1970.
    pub(crate) seconds: u64,
    pub(crate) nanoseconds: u32,
    pub(crate) pid: Option<Pid>,
    pub(crate) paused: bool,
    /// `u` or `d`.
    pub(crate) want: u8,
    pub(crate) term: bool,
    pub(crate) state: State,
}

impl Status {
    /// Of a unit.
    pub(crate) fn of(unit: &Unit) -> Status {
        Status {
            seconds: unit.since / SECOND,
            nanoseconds: (unit.since % SECOND) as u32,
            pid: unit.pid,
            paused: unit.paused,
            want: if unit.want == Want::Up { b'u' } else { b'd' },
            term: unit.term,
            state: unit.state,
        }
    }

    /// A TAI64N label and the pid's four bytes, lowest first, and one byte for each of the rest.
    pub(crate) fn to_bytes(self) -> [u8; LENGTH] {
        let [a, b, c, d, e, f, g, h] = self.seconds.wrapping_add(TAI).to_be_bytes();
        let [i, j, k, l] = self.nanoseconds.to_be_bytes();
        let pid = self.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        let [m, n, o, p] = pid.to_le_bytes();
        let (paused, term) = (u8::from(self.paused), u8::from(self.term));
        let state = self.state as u8;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, paused, self.want, term, state]
    }

    /// What the bytes say; `None` if they are not a status.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Status> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, paused, want, term, state] =
            *<&[u8; LENGTH]>::try_from(bytes).ok()?;
        Some(Status {
            seconds: u64::from_be_bytes([a, b, c, d, e, f, g, h]).wrapping_sub(TAI),
            nanoseconds: u32::from_be_bytes([i, j, k, l]),
            pid: Pid::from_raw(i32::from_le_bytes([m, n, o, p]).max(0)),
            paused: paused != 0,
            want,
            term: term != 0,
            state: match state {
                0 => State::Down,
                1 => State::Run,
                2 => State::Finish,
                _ => return None,
            },
        })
    }
}

/// The text of `supervise/stat`, for people.
pub(crate) fn stat(unit: &Unit) -> heapless::Vec<u8, 48> {
    let state = match unit.state {
        State::Down => "down",
        State::Run => "run",
        State::Finish => "finish",
    };
    let want = match unit.want {
        _ if unit.state == State::Down => "",
        Want::Up => "",
        Want::Down => ", want down",
        Want::Exit => ", want exit",
    };
    let mut text = heapless::Vec::new();
    let paused = if unit.paused { ", paused" } else { "" };
    let term = if unit.term { ", got TERM" } else { "" };
    for part in [state, paused, term, want, "\n"] {
        // The longest fits.
        let _ = text.extend_from_slice(part.as_bytes());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::unit::Moment;
    use super::*;

    /// What Debian's runsv 2.1.2 wrote for a paused service.
    const OF_RUNSV: [u8; LENGTH] = [
        0x40, 0, 0, 0, 0x6b, 0x0a, 0xa8, 0x2f, 0x07, 0xaf, 0x89, 0x74, 0x2a, 0x55, 0, 0, 1, b'u',
        0, 1,
    ];

    fn unit() -> Unit {
        Unit::new(false, Moment { uptime: 0, date: 1_795_860_517_128_944_500 })
    }

    #[test]
    fn a_status_of_runsv_is_read_and_written() {
        let status = Status::parse(&OF_RUNSV).unwrap();
        assert_eq!(status.pid, Pid::from_raw(0x552a));
        assert!(status.paused && !status.term);
        assert_eq!((status.want, status.state), (b'u', State::Run));
        assert_eq!(status.seconds, 1_795_860_517);
        assert_eq!(status.to_bytes(), OF_RUNSV);
    }

    #[test]
    fn a_unit_is_written_as_runsv_does_it() {
        let mut unit = unit();
        (unit.pid, unit.state, unit.paused) = (Pid::from_raw(0x552a), State::Run, true);
        assert_eq!(Status::of(&unit).to_bytes(), OF_RUNSV);
        assert_eq!(stat(&unit), b"run, paused\n");
        (unit.want, unit.term, unit.paused) = (Want::Exit, true, false);
        assert_eq!(stat(&unit), b"run, got TERM, want exit\n");
        unit.paused = true;
        assert_eq!(stat(&unit), b"run, paused, got TERM, want exit\n");
        unit.state = State::Down;
        (unit.paused, unit.term) = (false, false);
        assert_eq!(stat(&unit), b"down\n");
    }

    #[test]
    fn what_is_no_status_is_refused() {
        assert_eq!(Status::parse(&OF_RUNSV[..18]), None);
        let mut odd = OF_RUNSV;
        odd[19] = 3;
        assert_eq!(Status::parse(&odd), None);
    }
}
