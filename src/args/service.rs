//! The command line of `service`.
use super::Request;
use super::values::once;
use super::words::Words;
use crate::error::{Error, quote};
use crate::services::command::{Check, Order, Service};
use unshared_init::number::decimal;
use unshared_init::sys::Environment;

/// The status for a wrong command line, as of sv(8).
const WRONG: u8 = 100;

/// For how many seconds it waits unless told otherwise.
const PATIENCE: u64 = 7;

/// The options, as [`Words::next`] has them.
pub(super) const OPTIONS: &str = "v w=";

/// `service`.
pub(super) fn parse(words: &mut Words) -> Result<Request, Error> {
    read(words).map_err(|error| error.with_code(WRONG))
}

fn read(words: &mut Words) -> Result<Request, Error> {
    let environment = Environment::inherited();
    let (mut verbose, mut seconds) = (false, None);
    loop {
        match words.next(OPTIONS)? {
            None => return Err(words.usage("a command and a service are needed")),
            Some("") => break,
            Some("w") => {
                let number = decimal(words.value().to_bytes());
                once(&mut seconds, number.ok_or("a number of seconds is needed"))
                    .map_err(|problem| words.wrong(problem))?;
            }
            Some(_) => {}
        }
        verbose = true;
    }
    let word = words.value();
    let Some(order) = order(word.to_str().unwrap_or_default(), verbose) else {
        let word = quote(word.to_bytes());
        return Err(words.usage(format!("there is no command {word} for services")));
    };
    let names = words.behind();
    if names.first().is_none() {
        return Err(words.usage("no service is named"));
    }
    let seconds = seconds.or_else(|| environment.get(b"SVWAIT").and_then(decimal));
    Ok(Request::Service(Service { order, seconds: seconds.unwrap_or(PATIENCE), names }))
}

/// What a command sends, and what it waits for.
fn order(word: &str, verbose: bool) -> Option<Order> {
    let (letters, check) = match word {
        "status" | "s" => return Some(Order { letters: "", check: None, kills: false }),
        "up" | "u" => ("u", Check::Up),
        "down" | "d" => ("d", Check::Down),
        "once" | "o" => ("o", Check::Once),
        "exit" | "e" | "x" => ("x", Check::Exit),
        "pause" | "p" => ("p", Check::Paused),
        "cont" | "c" => ("c", Check::Continued),
        "term" | "t" => ("t", Check::Again),
        "kill" | "k" => ("k", Check::Again),
        "hup" | "h" => ("h", Check::Nothing),
        "alarm" | "a" => ("a", Check::Nothing),
        "interrupt" | "i" => ("i", Check::Nothing),
        "quit" | "q" => ("q", Check::Nothing),
        "1" => ("1", Check::Nothing),
        "2" => ("2", Check::Nothing),
        _ => return lasting(word),
    };
    Some(Order { letters, check: verbose.then_some(check), kills: false })
}

/// Those that wait in any case.
fn lasting(word: &str) -> Option<Order> {
    let (kills, word) = match word.strip_prefix("force-") {
        Some(word @ ("stop" | "reload" | "restart" | "shutdown")) => (true, word),
        _ => (false, word),
    };
    let (letters, check) = match word {
        "check" => ("", Check::Requested),
        "start" => ("u", Check::Up),
        "stop" => ("d", Check::Down),
        "reload" if kills => ("tc", Check::Again),
        "reload" => ("h", Check::Nothing),
        "restart" => ("tcu", Check::Again),
        "try-restart" => ("tc", Check::Again),
        "shutdown" => ("x", Check::Exit),
        _ => return None,
    };
    Some(Order { letters, check: Some(check), kills })
}
