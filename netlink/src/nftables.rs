//! Rules of the packet filter: messages of nf_tables, which are sent as one batch that is done as a
//! whole or not at all.
use crate::message::{Message, Overflow};
use linux_raw_sys::netlink::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST};

/// NFNL_SUBSYS_NFTABLES, as the upper byte of a type.
const SUBSYSTEM: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
const NFT_MSG_NEWTABLE: u16 = SUBSYSTEM << 8;
const NFT_MSG_DELTABLE: u16 = SUBSYSTEM << 8 | 2;
const NFT_MSG_NEWCHAIN: u16 = SUBSYSTEM << 8 | 3;
const NFT_MSG_NEWRULE: u16 = SUBSYSTEM << 8 | 6;

const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
/// What these attributes hold is marked as nested ones.
const NESTED: u16 = 0x8000;

/// The register that is compared, and where the address of a translation is; and that of its port.
pub const FIRST: u32 = 1;
/// See [`FIRST`].
pub const SECOND: u32 = 2;

/// The family of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Family::Four => crate::message::FOUR,
            Family::Six => crate::message::SIX,
        }
    }
}

/// Where packets pass a chain (`NF_INET_…`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// All that arrive.
    Prerouting,
    /// Those that are sent here.
    Output,
    /// All that leave.
    Postrouting,
}

impl Hook {
    /// Its number, and the place of address translation among what is done there.
    fn numbers(self) -> (u32, i32) {
        match self {
            Hook::Prerouting => (0, -100),
            Hook::Output => (3, -100),
            Hook::Postrouting => (4, 100),
        }
    }
}

/// A part of a rule. A comparison that fails ends the rule for that packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expression<'a> {
    /// Loads bytes of the network header.
    Network {
        /// From where.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// Loads bytes of the transport header.
    Transport {
        /// From where.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// Loads the number of the transport protocol.
    Protocol,
    /// Loads what kind of route leads to the destination (`RTN_…`).
    DestinationKind,
    /// Leaves only these bits of what was loaded.
    Mask(&'a [u8]),
    /// Compares what was loaded.
    Compare {
        /// Whether it is to be the same.
        equal: bool,
        /// As what.
        value: &'a [u8],
    },
    /// Loads a constant.
    Immediate {
        /// Where it goes: [`FIRST`] or [`SECOND`].
        register: u32,
        /// The constant.
        value: &'a [u8],
    },
    /// The source becomes the address of the link that the packet leaves by.
    Masquerade,
    /// The destination becomes what is in the registers.
    Translate(Family),
}

/// A batch under construction.
#[derive(Debug)]
pub struct Batch<'a> {
    buffer: &'a mut [u8],
    length: usize,
    next: u32,
    overflow: bool,
}

impl<'a> Batch<'a> {
    /// A batch in `buffer`, whose messages have the sequence numbers from `first` on.
    pub fn new(buffer: &'a mut [u8], first: u32) -> Batch<'a> {
        let mut batch = Batch { buffer, length: 0, next: first, overflow: false };
        batch.bracket(NFNL_MSG_BATCH_BEGIN);
        batch
    }

    /// Makes a table, if there is none of that name.
    pub fn add_table(&mut self, family: Family, name: &[u8]) {
        self.message(NFT_MSG_NEWTABLE, NLM_F_CREATE, family.number(), |message| {
            message.text(NFTA_TABLE_NAME, name);
        });
    }

    /// Removes a table with all that is in it; refused if there is none.
    pub fn delete_table(&mut self, family: Family, name: &[u8]) {
        self.message(NFT_MSG_DELTABLE, 0, family.number(), |message| {
            message.text(NFTA_TABLE_NAME, name);
        });
    }

    /// Makes a chain for the translation of addresses.
    pub fn add_chain(&mut self, family: Family, table: &[u8], name: &[u8], hook: Hook) {
        let (number, priority) = hook.numbers();
        self.message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family.number(), |message| {
            message.text(NFTA_CHAIN_TABLE, table);
            message.text(NFTA_CHAIN_NAME, name);
            message.nest(NFTA_CHAIN_HOOK | NESTED, |message| {
                message.attribute(NFTA_HOOK_HOOKNUM, &number.to_be_bytes());
                message.attribute(NFTA_HOOK_PRIORITY, &priority.to_be_bytes());
            });
            message.text(NFTA_CHAIN_TYPE, b"nat");
        });
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(
        &mut self,
        family: Family,
        table: &[u8],
        chain: &[u8],
        expressions: &[Expression<'_>],
    ) {
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        self.message(NFT_MSG_NEWRULE, flags, family.number(), |message| {
            message.text(NFTA_RULE_TABLE, table);
            message.text(NFTA_RULE_CHAIN, chain);
            message.nest(NFTA_RULE_EXPRESSIONS | NESTED, |message| {
                for expression in expressions {
                    message.nest(NFTA_LIST_ELEM | NESTED, |message| expression.emit(message));
                }
            });
        });
    }

    /// Ends the batch; its bytes, and how many sequence numbers it has. Each message but the first and
    /// the last is acknowledged, or refused.
    pub fn finish(mut self) -> Result<&'a [u8], Overflow> {
        self.bracket(NFNL_MSG_BATCH_END);
        if self.overflow {
            return Err(Overflow);
        }
        let buffer: &'a [u8] = self.buffer;
        buffer.get(..self.length).ok_or(Overflow)
    }

    /// The number of the next message.
    #[must_use]
    pub fn next_sequence(&self) -> u32 {
        self.next
    }

    /// What begins or ends a batch: it is said for which subsystem.
    fn bracket(&mut self, kind: u16) {
        self.append(kind, 0, 0, SUBSYSTEM, |_| {});
    }

    fn message(&mut self, kind: u16, flags: u32, family: u8, fill: impl FnOnce(&mut Message<'_>)) {
        self.append(kind, flags | NLM_F_ACK, family, 0, fill);
    }

    fn append(
        &mut self,
        kind: u16,
        flags: u32,
        family: u8,
        resource: u16,
        fill: impl FnOnce(&mut Message<'_>),
    ) {
        let rest = self.buffer.get_mut(self.length..).unwrap_or_default();
        let mut message = Message::new(rest, kind, (NLM_F_REQUEST | flags) as u16, self.next);
        // struct nfgenmsg.
        message.put(&[family, 0]);
        message.put(&resource.to_be_bytes());
        fill(&mut message);
        match message.finish() {
            Ok(bytes) => self.length += bytes.len(),
            Err(Overflow) => self.overflow = true,
        }
        self.next = self.next.wrapping_add(1);
    }
}

/// What an expression's data has under its numbers, from 1.
enum Part<'a> {
    Number(u32),
    Data(&'a [u8]),
    Nothing,
}

impl Expression<'_> {
    fn emit(self, message: &mut Message<'_>) {
        use Part::{Data, Nothing, Number};
        let mut put = |name: &[u8], parts: &[Part<'_>]| put(message, name, parts);
        match self {
            // Register, which header, offset, length.
            Expression::Network { offset, length } => {
                put(b"payload", &[Number(FIRST), Number(1), Number(offset), Number(length)]);
            }
            Expression::Transport { offset, length } => {
                put(b"payload", &[Number(FIRST), Number(2), Number(offset), Number(length)]);
            }
            // Register, NFT_META_L4PROTO.
            Expression::Protocol => put(b"meta", &[Number(FIRST), Number(16)]),
            // Register, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR.
            Expression::DestinationKind => put(b"fib", &[Number(FIRST), Number(3), Number(2)]),
            // Two registers, length, mask, what is set afterwards.
            Expression::Mask(mask) => {
                let length = Number(u32::try_from(mask.len()).unwrap_or(0));
                let zero = Data([0; 16].get(..mask.len()).unwrap_or(&[]));
                put(b"bitwise", &[Number(FIRST), Number(FIRST), length, Data(mask), zero]);
            }
            // Register, NFT_CMP_EQ or NFT_CMP_NEQ.
            Expression::Compare { equal, value } => {
                put(b"cmp", &[Number(FIRST), Number((!equal).into()), Data(value)]);
            }
            Expression::Immediate { register, value } => {
                put(b"immediate", &[Number(register), Data(value)]);
            }
            Expression::Masquerade => put(b"masq", &[]),
            // NFT_NAT_DNAT, family, the registers of the address and of the port.
            Expression::Translate(family) => {
                let family = Number(family.number().into());
                put(b"nat", &[Number(1), family, Number(FIRST), Nothing, Number(SECOND)]);
            }
        }
    }
}

fn put(message: &mut Message<'_>, name: &[u8], parts: &[Part<'_>]) {
    message.text(NFTA_EXPR_NAME, name);
    message.nest(NFTA_EXPR_DATA | NESTED, |message| {
        for (kind, part) in (1_u16..).zip(parts) {
            match part {
                Part::Number(value) => message.attribute(kind, &value.to_be_bytes()),
                Part::Data(value) => message.nest(kind | NESTED, |message| {
                    message.attribute(NFTA_DATA_VALUE, value);
                }),
                Part::Nothing => {}
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Attributes, u16_at, u32_at};
    use crate::message::HEADER;
    use std::vec;
    use std::vec::Vec;

    fn batch(buffer: &mut [u8]) -> Result<&[u8], Overflow> {
        let mut batch = Batch::new(buffer, 7);
        batch.add_table(Family::Four, b"t");
        batch.add_chain(Family::Four, b"t", b"c", Hook::Postrouting);
        let expressions = [
            Expression::Network { offset: 12, length: 4 },
            Expression::Mask(&[255, 255, 255, 0]),
            Expression::Compare { equal: true, value: &[10, 0, 0, 0] },
            Expression::Masquerade,
        ];
        batch.add_rule(Family::Four, b"t", b"c", &expressions);
        batch.finish()
    }

    #[test]
    fn a_batch_is_messages_with_numbers_between_a_begin_and_an_end() {
        let mut buffer = [0; 1024];
        let mut rest = batch(&mut buffer).unwrap();
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (message, behind) = rest.split_at(u32_at(rest, 0..4) as usize);
            found.push((u16_at(message, 4..6), u32_at(message, 8..12)));
            rest = behind;
        }
        assert_eq!(found, [(16, 7), (0x0a00, 8), (0x0a03, 9), (0x0a06, 10), (17, 11)]);
    }

    #[test]
    fn expressions_are_a_list_of_names_and_data() {
        let mut buffer = [0; 1024];
        let bytes = batch(&mut buffer).unwrap();
        let rule = bytes.windows(2).position(|two| two == 0x0a06_u16.to_ne_bytes()).unwrap() - 4;
        let length = u32_at(bytes, rule..rule + 4) as usize;
        let attributes = Attributes::new(&bytes[rule + HEADER + 4..rule + length]);
        let list = attributes.get(NFTA_RULE_EXPRESSIONS).unwrap().nested();
        let names: Vec<_> =
            list.map(|one| one.nested().get(NFTA_EXPR_NAME).unwrap().text()).collect();
        assert_eq!(names, [&b"payload"[..], b"bitwise", b"cmp", b"masq"]);
    }

    #[test]
    fn a_buffer_too_short_is_an_overflow() {
        let mut buffer = [0; 1024];
        let length = batch(&mut buffer).unwrap().len();
        for short in 0..length {
            assert_eq!(batch(&mut vec![0; short]), Err(Overflow), "{short}");
        }
    }
}
