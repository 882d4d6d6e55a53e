//! What the kernel answers, told apart from what is not for us. No input or output: a caller sends
//! what it has written, and feeds what it has received.
use crate::attribute::{Attributes, u16_at, u32_at};
use crate::message::HEADER;
use core::num::NonZeroI32;
use linux_raw_sys::netlink::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE,
    nlmsgerr_attrs,
};

attributes!(nlmsgerr_attrs => _NAMES: NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS);

/// The port of the kernel.
const KERNEL: u32 = 0;

/// The kernel's answer, or a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// Done as asked.
    Ack,
    /// Not done.
    Refused(Refusal<'a>),
    /// One object of those that were asked for.
    Item {
        /// The type of the message (`RTM_NEW…`).
        kind: u16,
        /// What follows on its header.
        payload: &'a [u8],
    },
    /// That were all.
    Done {
        /// They changed meanwhile, so that some may be missing: ask again.
        interrupted: bool,
    },
}

/// Why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<'a> {
    /// The error's number, positive.
    pub errno: NonZeroI32,
    /// The kernel's own words, if it has some (Linux 4.12 and later, with NETLINK_EXT_ACK).
    pub text: Option<&'a [u8]>,
    /// Where the attribute at fault begins, from the beginning of the request.
    pub offset: Option<usize>,
}

/// One socket's conversation with the kernel.
#[derive(Clone, Debug)]
pub struct Connection {
    port: u32,
    sequence: u32,
    count: u32,
    interrupted: bool,
}

impl Connection {
    /// A conversation of the socket that is bound to `port`; 0 if that is not known, since the kernel
    /// chooses one for a socket that is not bound.
    #[must_use]
    pub const fn new(port: u32) -> Connection {
        Connection { port, sequence: 0, count: 0, interrupted: false }
    }

    /// The number for the next request. Answers to earlier ones are skipped from here on.
    pub fn next_sequence(&mut self) -> u32 {
        self.next_sequences(1)
    }

    /// The first number for that many requests that are sent at once.
    pub fn next_sequences(&mut self, count: u32) -> u32 {
        self.sequence = self.sequence.wrapping_add(self.count.max(1));
        self.count = count;
        self.interrupted = false;
        self.sequence
    }

    /// The answers in a datagram that came from the port `sender`.
    pub fn feed<'a>(&mut self, sender: u32, datagram: &'a [u8]) -> Answers<'_, 'a> {
        let rest = if sender == KERNEL { datagram } else { &[] };
        Answers { connection: self, rest }
    }

    /// What a message means, if it is for us.
    fn take_in<'a>(&mut self, message: &'a [u8]) -> Option<Answer<'a>> {
        let flags = u32::from(u16_at(message, 6..8));
        let port = u32_at(message, 12..16);
        let is_answer = u32_at(message, 8..12).wrapping_sub(self.sequence) < self.count;
        if !is_answer || (self.port != KERNEL && port != self.port) {
            return None;
        }
        self.interrupted |= flags & NLM_F_DUMP_INTR != 0;
        let kind = u16_at(message, 4..6);
        let payload = message.get(HEADER..)?;
        match u32::from(kind) {
            NLMSG_ERROR => Some(result(payload, flags, true)?.unwrap_or(Answer::Ack)),
            NLMSG_DONE => {
                let done = Answer::Done { interrupted: self.interrupted };
                Some(result(payload, flags, false).flatten().unwrap_or(done))
            }
            0..NLMSG_MIN_TYPE => None,
            _ => Some(Answer::Item { kind, payload }),
        }
    }
}

/// The answers in one datagram.
#[derive(Debug)]
pub struct Answers<'c, 'a> {
    connection: &'c mut Connection,
    rest: &'a [u8],
}

impl<'a> Iterator for Answers<'_, 'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        loop {
            let rest = core::mem::take(&mut self.rest);
            let length = usize::try_from(u32_at(rest, 0..4)).ok()?;
            let message = rest.get(..length).filter(|message| message.len() >= HEADER)?;
            self.rest =
                length.checked_next_multiple_of(4).and_then(|end| rest.get(end..)).unwrap_or(&[]);
            if let Some(answer) = self.connection.take_in(message) {
                return Some(answer);
            }
        }
    }
}

/// The refusal in the payload of an end: an error's number, for an acknowledgement the request's
/// header or all of it, and attributes that explain. `Some(None)` where all went well.
fn result(payload: &[u8], flags: u32, has_request: bool) -> Option<Option<Answer<'_>>> {
    let (errno, rest) = payload.split_first_chunk::<4>()?;
    let Some(errno) = NonZeroI32::new(i32::from_ne_bytes(*errno).wrapping_neg()) else {
        return Some(None);
    };
    let request = match (has_request, flags & NLM_F_CAPPED != 0) {
        (false, _) => 0,
        (true, true) => HEADER,
        (true, false) => usize::try_from(u32_at(rest, 0..4)).ok()?.checked_next_multiple_of(4)?,
    };
    let has_attributes = flags & NLM_F_ACK_TLVS != 0;
    let attributes = rest.get(request..).filter(|_| has_attributes).unwrap_or(&[]);
    let attributes = Attributes::new(attributes);
    let text = attributes.get(NLMSGERR_ATTR_MSG).map(|attribute| attribute.text());
    let offset = attributes.get(NLMSGERR_ATTR_OFFS).and_then(|attribute| attribute.u32());
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    Some(Some(Answer::Refused(Refusal { errno, text, offset })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured;
    use proptest::prelude::*;
    use std::vec::Vec;

    const PORT: u32 = 77;

    fn answer(kind: u32, flags: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(HEADER as u32 + payload.len() as u32).to_ne_bytes());
        bytes.extend_from_slice(&(kind as u16).to_ne_bytes());
        bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&PORT.to_ne_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn connection() -> Connection {
        let mut connection = Connection::new(PORT);
        connection.next_sequence();
        connection
    }

    fn refused(errno: i32) -> Answer<'static> {
        let errno = NonZeroI32::new(errno).unwrap();
        Answer::Refused(Refusal { errno, text: None, offset: None })
    }

    #[test]
    fn an_error_of_zero_is_the_acknowledgement_and_others_are_positive() {
        for (number, expected) in [(0, Answer::Ack), (-1, refused(1))] {
            let bytes = answer(NLMSG_ERROR, 0, 1, &i32::to_ne_bytes(number));
            assert_eq!(connection().feed(0, &bytes).next(), Some(expected));
        }
    }

    #[test]
    fn only_the_kernel_answers_and_only_us() {
        let ack = answer(NLMSG_ERROR, 0, 1, &[0; 4]);
        assert_eq!(connection().feed(5, &ack).next(), None, "another process");
        let mut other = Connection::new(PORT + 1);
        other.next_sequence();
        assert_eq!(other.feed(0, &ack).next(), None, "another port");
        let mut later = connection();
        later.next_sequence();
        assert_eq!(later.feed(0, &ack).next(), None, "an earlier request");
        let mut unknown = Connection::new(0);
        unknown.next_sequence();
        assert_eq!(unknown.feed(0, &ack).next(), Some(Answer::Ack), "a port that is not known");
    }

    #[test]
    fn several_requests_have_as_many_answers() {
        let mut connection = connection();
        let first = connection.next_sequences(3);
        let bytes: Vec<u8> = (first - 1..first + 4)
            .flat_map(|sequence| answer(NLMSG_ERROR, 0, sequence, &[0; 4]))
            .collect();
        assert_eq!(connection.feed(0, &bytes).count(), 3);
        assert_eq!(connection.next_sequence(), first + 3);
    }

    #[test]
    fn a_dump_is_interrupted_if_any_part_of_it_was() {
        let items = [answer(16, NLM_F_DUMP_INTR, 1, &[1; 4]), answer(16, 0, 1, &[2; 4])].concat();
        let done = answer(NLMSG_DONE, 0, 1, &[0; 4]);
        let mut connection = connection();
        let found: Vec<_> = connection.feed(0, &items).collect();
        let item = |payload| Answer::Item { kind: 16, payload };
        assert_eq!(found, [item(&[1; 4][..]), item(&[2; 4])]);
        let end = connection.feed(0, &done).next();
        assert_eq!(end, Some(Answer::Done { interrupted: true }));
        connection.next_sequence();
        let done = answer(NLMSG_DONE, 0, 2, &[]);
        let end = connection.feed(0, &done).next();
        assert_eq!(end, Some(Answer::Done { interrupted: false }));
    }

    #[test]
    fn a_dump_may_end_in_an_error() {
        let bytes = answer(NLMSG_DONE, 0, 1, &(-22_i32).to_ne_bytes());
        assert_eq!(connection().feed(0, &bytes).next(), Some(refused(22)));
    }

    #[test]
    fn the_kernels_words_and_the_place_are_found_with_the_request_and_without() {
        let mut explained = Vec::new();
        explained.extend_from_slice(&[7, 0, 1, 0, b'n', b'o', 0, 0]);
        explained.extend_from_slice(&[8, 0, 2, 0, 32, 0, 0, 0]);
        let errno = (-22_i32).to_ne_bytes();
        for capped in [true, false] {
            let length = if capped { 999 } else { 34_u32 };
            let mut request = [&length.to_ne_bytes()[..], &[0; 12]].concat();
            if !capped {
                request.extend_from_slice(&[0xff; 20]);
            }
            let payload = [&errno[..], &request, &explained].concat();
            let flags = NLM_F_ACK_TLVS | if capped { NLM_F_CAPPED } else { 0 };
            let bytes = answer(NLMSG_ERROR, flags, 1, &payload);
            let mut connection = connection();
            let Some(Answer::Refused(refusal)) = connection.feed(0, &bytes).next() else {
                panic!()
            };
            assert_eq!(refusal.text, Some(&b"no"[..]), "{capped}");
            assert_eq!(refusal.offset, Some(32), "{capped}");
        }
    }

    #[test]
    fn what_the_kernel_answered_to_iproute2_is_understood() {
        let mut count = 0;
        for exchange in captured::all() {
            let mut connection = Connection::new(2);
            connection.next_sequence();
            for datagram in &exchange.received {
                assert!(connection.feed(0, datagram).next().is_some(), "{}", exchange.command);
                count += 1;
            }
        }
        assert!(count > 40 || cfg!(target_endian = "big"), "{count}");
        if cfg!(target_endian = "big") {
            return;
        }
        let low = captured::of("ip link set vcap0 mtu 10");
        let Some(Answer::Refused(refusal)) = connection_of(2).feed(0, &low.received[0]).next()
        else {
            panic!()
        };
        assert_eq!(refusal.text, Some(&b"mtu less than device minimum"[..]));
    }

    fn connection_of(port: u32) -> Connection {
        Connection { port, ..connection() }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(connection().feed(0, &bytes).count() <= bytes.len() / HEADER);
        }

        #[test]
        fn any_payload_of_an_answer_is_read(
            kind in 1..20_u32, flags: u16, payload in prop::collection::vec(any::<u8>(), 0..100)
        ) {
            let bytes = answer(kind, flags.into(), 1, &payload);
            prop_assert!(connection().feed(0, &bytes).count() <= 1);
        }
    }
}
