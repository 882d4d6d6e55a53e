//! What is executed in the end: argument lists and environment.
use crate::spec::Spec;
use crate::sys;
use std::ffi::{CStr, CString};
use unshared_init::exec::SHELL;
use unshared_init::sys::{Arguments, Environment};

/// The expressions, each for a shell, and then the command as it was given.
pub(super) fn commands(spec: &Spec) -> Vec<Arguments> {
    let shell = |expression: &CString| {
        sys::arguments(vec![SHELL.to_owned(), c"-c".to_owned(), expression.clone()])
    };
    spec.expressions.iter().map(shell).chain(spec.command).collect()
}

/// The caller's environment, or an empty one, with the variables that were given.
pub(super) fn environment(spec: &Spec) -> Environment {
    let inherited = Environment::inherited();
    if !spec.clear_env && spec.variables.is_empty() {
        return inherited;
    }
    // Of several with one name, the last one counts; where a thousand are given, looking each up
    // among all the others would take seconds.
    let mut given: Vec<(usize, &CString)> = spec.variables.iter().enumerate().collect();
    given.sort_unstable_by(|(place, one), (other_place, other)| {
        name(one).cmp(name(other)).then(other_place.cmp(place))
    });
    given.dedup_by(|(_, later), (_, kept)| name(later) == name(kept));
    let is_given = |entry: &CStr| {
        given.binary_search_by(|(_, variable)| name(variable).cmp(name(entry))).is_ok()
    };
    let mut entries: Vec<CString> = Vec::new();
    if !spec.clear_env {
        entries.extend(inherited.filter(|entry| !is_given(entry)).map(ToOwned::to_owned));
    }
    entries.extend(given.into_iter().map(|(_, variable)| variable.clone()));
    sys::environment(entries)
}

/// The part before the `=`.
fn name(entry: &CStr) -> &[u8] {
    entry.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}
