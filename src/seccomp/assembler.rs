//! An assembler of classic BPF, as far as filters of system calls need it. Pure.
//!
//! Pieces of programs are blocks, each of which ends with a verdict on every way through it. They are
//! put together by branches, so there are no labels.

/// `struct sock_filter` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Instruction {
    code: u16,
    /// How many instructions are passed over where the test is true, and where it is false.
    if_true: u8,
    if_false: u8,
    operand: u32,
}

// BPF_LD | BPF_W | BPF_ABS, BPF_RET | BPF_K, BPF_JMP | BPF_JA and the tests, each with a constant.
pub(super) const LOAD: u16 = 0x20;
pub(super) const RETURN: u16 = 0x06;
pub(super) const JUMP: u16 = 0x05;

/// How the accumulator is compared with a constant.
#[derive(Clone, Copy)]
pub(super) enum Test {
    /// They are equal.
    Equal = 0x15,
    /// It is not less.
    AtLeast = 0x35,
    /// They have a bit in common.
    AnyBit = 0x45,
}

impl Instruction {
    /// In bytes.
    pub(super) const SIZE: usize = size_of::<Instruction>();

    /// What the bytes say, in the order of this machine.
    pub(super) fn parse([a, b, if_true, if_false, operand @ ..]: [u8; Self::SIZE]) -> Instruction {
        Instruction {
            code: u16::from_ne_bytes([a, b]),
            if_true,
            if_false,
            operand: u32::from_ne_bytes(operand),
        }
    }

    fn plain(code: u16, operand: u32) -> Instruction {
        Instruction { code, if_true: 0, if_false: 0, operand }
    }

    /// Code, both distances, operand.
    #[cfg(test)]
    pub(super) fn parts(self) -> (u16, usize, usize, u32) {
        (self.code, self.if_true.into(), self.if_false.into(), self.operand)
    }
}

/// A piece of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Block(Vec<Instruction>);

/// What happens to a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It fails with that errno.
    Fail(u16),
}

impl Block {
    /// SECCOMP_RET_ALLOW, or SECCOMP_RET_ERRNO.
    pub(super) fn verdict(verdict: Verdict) -> Block {
        let action = match verdict {
            Verdict::Allow => 0x7fff_0000,
            Verdict::Fail(errno) => 0x0005_0000 | u32::from(errno),
        };
        Block(vec![Instruction::plain(RETURN, action)])
    }

    /// Loads four bytes of `struct seccomp_data` into the accumulator, and goes on.
    pub(super) fn load(offset: u32, mut then: Block) -> Block {
        then.0.insert(0, Instruction::plain(LOAD, offset));
        then
    }

    /// Goes one way or the other.
    pub(super) fn branch(test: Test, operand: u32, if_true: Block, if_false: Block) -> Block {
        let distance = if_false.0.len();
        let mut block = Vec::with_capacity(2 + distance + if_true.0.len());
        let code = test as u16;
        match u8::try_from(distance) {
            Ok(near) => block.push(Instruction { code, if_true: near, if_false: 0, operand }),
            Err(_) => {
                // The distances of a test have a byte each, that of a plain jump has four.
                block.push(Instruction { code, if_true: 0, if_false: 1, operand });
                block.push(Instruction::plain(JUMP, distance as u32));
            }
        }
        block.extend(if_false.0);
        block.extend(if_true.0);
        Block(block)
    }

    /// What is said about the accumulator: each entry holds from its number up to the next. The
    /// entries are in order, and the first is for 0. The tests halve what is left each time.
    pub(super) fn search(entries: &[(u32, Block)]) -> Block {
        let (low, high) = entries.split_at(entries.len() / 2);
        match (low, high) {
            (_, [(start, _), ..]) if !low.is_empty() => {
                Block::branch(Test::AtLeast, *start, Block::search(high), Block::search(low))
            }
            (_, [(_, block)]) => block.clone(),
            // Nothing at all is asked for.
            (_, _) => Block::verdict(Verdict::Allow),
        }
    }

    /// The program.
    pub(super) fn into_program(self) -> Vec<Instruction> {
        self.0
    }
}
