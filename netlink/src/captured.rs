//! For tests: what ip(8) of iproute2 6.1 and the kernel said to each other, as captured/record has
//! recorded it on a little-endian machine.
use std::string::String;
use std::vec::Vec;

/// A request and what was answered.
pub(crate) struct Exchange {
    /// The command that was run.
    pub(crate) command: &'static str,
    pub(crate) sent: Vec<u8>,
    pub(crate) received: Vec<Vec<u8>>,
}

/// All of them.
pub(crate) fn all() -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut command = "";
    if cfg!(target_endian = "big") {
        return exchanges;
    }
    for line in include_str!("../captured/iproute2.txt").lines() {
        let (sign, rest) = line.split_at(2);
        match sign {
            "# " => command = rest,
            "> " => {
                exchanges.push(Exchange { command, sent: bytes(rest), received: Vec::new() });
            }
            _ => exchanges.last_mut().unwrap().received.push(bytes(rest)),
        }
    }
    exchanges
}

/// The last of that command.
pub(crate) fn of(command: &str) -> Exchange {
    all().into_iter().rfind(|exchange| exchange.command == command).unwrap()
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap()).collect()
}
