//! The command line of `service`.
use super::Request;
use crate::error::{Error, quote};
use crate::services::command::{Check, Order, Service};
use std::ffi::CStr;
use unshared_init::number::decimal;
use unshared_init::sys::{Arguments, Environment};

/// The status for a wrong command line, as of sv(8).
const WRONG: u8 = 100;

/// For how many seconds it waits unless told otherwise.
const PATIENCE: u64 = 7;

/// Reads the arguments that follow on `service`.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    read(arguments).map_err(|error| error.with_code(WRONG))
}

fn read(mut arguments: Arguments) -> Result<Request, Error> {
    let environment = Environment::inherited();
    let (mut verbose, mut seconds) = (false, environment.get(b"SVWAIT").and_then(decimal));
    let word = loop {
        let Some(word) = arguments.next() else {
            return Err(Error::usage("a command and a service are needed", "service"));
        };
        match word.to_bytes() {
            b"-v" => verbose = true,
            b"-h" | b"--help" => return Ok(Request::Print(super::help::of("service"))),
            [b'-', b'w', attached @ ..] => {
                let attached = (!attached.is_empty()).then_some(attached);
                let value = attached.or_else(|| arguments.next().map(CStr::to_bytes));
                let wrong = || Error::usage("-w takes a number of seconds", "service");
                seconds = Some(value.and_then(decimal).ok_or_else(wrong)?);
                verbose = true;
            }
            _ => break word.to_bytes(),
        }
    };
    let Some(order) = order(word, verbose) else {
        let problem = format!("there is no command {} for services", quote(word));
        return Err(Error::usage(problem, "service"));
    };
    if arguments.first().is_none() {
        return Err(Error::usage("no service is named", "service"));
    }
    let seconds = seconds.unwrap_or(PATIENCE);
    Ok(Request::Service(Service { order, seconds, names: arguments }))
}

/// What a command sends, and what it waits for.
fn order(word: &[u8], verbose: bool) -> Option<Order> {
    let lasting = |letters, check| Order { letters, check: Some(check), kills: false };
    let forced = |letters, check| Order { kills: true, ..lasting(letters, check) };
    let plain = |letters, check| {
        let check = verbose.then_some(check);
        Order { letters, check, kills: false }
    };
    Some(match word {
        b"status" | b"s" => Order { letters: "", check: None, kills: false },
        b"up" | b"u" => plain("u", Check::Up),
        b"down" | b"d" => plain("d", Check::Down),
        b"once" | b"o" => plain("o", Check::Once),
        b"exit" | b"e" | b"x" => plain("x", Check::Exit),
        b"pause" | b"p" => plain("p", Check::Paused),
        b"cont" | b"c" => plain("c", Check::Continued),
        b"term" | b"t" => plain("t", Check::Again),
        b"kill" | b"k" => plain("k", Check::Again),
        b"hup" | b"h" => plain("h", Check::Nothing),
        b"alarm" | b"a" => plain("a", Check::Nothing),
        b"interrupt" | b"i" => plain("i", Check::Nothing),
        b"quit" | b"q" => plain("q", Check::Nothing),
        b"1" => plain("1", Check::Nothing),
        b"2" => plain("2", Check::Nothing),
        b"check" => lasting("", Check::Requested),
        b"start" => lasting("u", Check::Up),
        b"stop" => lasting("d", Check::Down),
        b"reload" => lasting("h", Check::Nothing),
        b"restart" => lasting("tcu", Check::Again),
        b"try-restart" => lasting("tc", Check::Again),
        b"shutdown" => lasting("x", Check::Exit),
        b"force-stop" => forced("d", Check::Down),
        b"force-reload" => forced("tc", Check::Again),
        b"force-restart" => forced("tcu", Check::Again),
        b"force-shutdown" => forced("x", Check::Exit),
        _ => return None,
    })
}
