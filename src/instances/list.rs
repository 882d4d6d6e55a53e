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
            all.extend(Found::look(&state, &name)?);
        }
    }
    let text = if json {
        let objects: Vec<String> = all.iter().map(object).collect();
        format!("[{}]\n", objects.join(",\n "))
    } else if names {
        all.iter().map(|found| format!("{}\n", found.name.to_string_lossy())).collect()
    } else {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(all.iter().map(row));
        table(&rows)
    };
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
                table.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
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
