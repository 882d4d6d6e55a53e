//! What is executed in the end: argument lists and environment.
use crate::spec::Spec;
use crate::sys::{self, variable_name};
use std::ffi::{CStr, CString};
use unshared_init::exec::SHELL;
use unshared_init::sys::{Arguments, Environment};

/// The expressions, each for a shell, and then the command as it was given. With `--chroot` each is
/// what that expression is to run in the root.
pub(super) fn commands(spec: &Spec, root: Option<&CString>) -> Vec<Arguments> {
    let way = spec.chroot.as_ref().map(|expression| {
        let script = [expression.as_bytes(), b" \"$@\""].concat();
        let root = root.cloned().unwrap_or_else(|| c"/".to_owned());
        vec![
            SHELL.to_owned(),
            c"-c".to_owned(),
            c"--".to_owned(),
            CString::new(script).unwrap_or_default(),
            SHELL.to_owned(),
            root,
        ]
    });
    let through = |words: Vec<CString>| {
        sys::arguments(way.clone().unwrap_or_default().into_iter().chain(words).collect())
    };
    let shell = |expression: &CString| {
        through(vec![SHELL.to_owned(), c"-c".to_owned(), c"--".to_owned(), expression.clone()])
    };
    let command = spec.command.map(|command| match way {
        Some(_) => through(command.map(ToOwned::to_owned).collect()),
        None => command,
    });
    spec.expressions.iter().map(shell).chain(command).collect()
}

/// The caller's environment, or an empty one, with the variables that were given.
pub(crate) fn environment(spec: &Spec, root: Option<&CString>) -> Environment {
    // The way into the root is a hook as well.
    let inherited = match spec.chroot {
        Some(_) => crate::hooks::environment(spec, root, &[]),
        None => Environment::inherited(),
    };
    if !spec.clear_env && spec.variables.is_empty() {
        return inherited;
    }
    // Of several with one name, the last one counts; where a thousand are given, looking each up
    // among all the others would take seconds.
    let mut given: Vec<(usize, &CString)> = spec.variables.iter().enumerate().collect();
    given.sort_unstable_by(|(place, one), (other_place, other)| {
        variable_name(one).cmp(variable_name(other)).then(other_place.cmp(place))
    });
    given.dedup_by(|(_, later), (_, kept)| variable_name(later) == variable_name(kept));
    let is_given = |entry: &CStr| {
        given
            .binary_search_by(|(_, variable)| variable_name(variable).cmp(variable_name(entry)))
            .is_ok()
    };
    let mut entries: Vec<CString> = Vec::new();
    if !spec.clear_env {
        entries.extend(inherited.filter(|entry| !is_given(entry)).map(ToOwned::to_owned));
    }
    entries.extend(given.into_iter().map(|(_, variable)| variable.clone()));
    sys::environment(entries)
}
