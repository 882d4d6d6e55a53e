//! `list` and `inspect`: what instances there are, and all of one.
use super::Found;
use super::shown::{COLUMNS, object, row};
use crate::error::Error;
use crate::registry::State;
use std::ffi::CStr;

/// A table, or JSON, or names only.
pub(super) fn run(json: bool, names: bool) -> Result<u8, Error> {
    let mut all = Vec::new();
    if let Some(state) = State::look()? {
        for name in state.names()? {
            // One that has ended since is none any more.
            if let Some(found) = Found::look(&state, &name)? {
                all.push(found);
            }
        }
    }
    let mut text = String::new();
    if json {
        text.push('[');
        for found in &all {
            if text.len() > 1 {
                text.push_str(",\n ");
            }
            text.push_str(&object(found));
        }
        text.push_str("]\n");
    } else if names {
        for found in &all {
            text.push_str(&found.name.to_string_lossy());
            text.push('\n');
        }
    } else {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        for found in &all {
            rows.push(row(found));
        }
        text = table(&rows);
    }
    crate::print(text.as_bytes())
}

/// All that is known of one.
pub(super) fn inspect(name: &CStr) -> Result<u8, Error> {
    let found = Found::named(name)?;
    crate::print(format!("{}\n", object(&found)).as_bytes())
}

/// Rows with their columns aligned; the last one is as long as it is.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in rows {
        for (at, (width, cell)) in widths.iter().zip(row).enumerate() {
            table.push_str(cell);
            if at + 1 < N {
                for _ in cell.chars().count()..width + 2 {
                    table.push(' ');
                }
            }
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["A", "BBB"], ["ää", "c d"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "A   BBB\nää  c d\n");
    }
}
