//! What is executed in the end: argument lists and environment.
use crate::spec::Spec;
use crate::sys;
use std::ffi::CString;
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
    let mut entries: Vec<CString> = Vec::new();
    if !spec.clear_env {
        entries.extend(inherited.map(ToOwned::to_owned));
    }
    for variable in &spec.variables {
        entries.retain(|entry| name(entry) != name(variable));
        entries.push(variable.clone());
    }
    sys::environment(entries)
}

/// The part before the `=`.
fn name(entry: &CString) -> &[u8] {
    entry.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}
