//! In the place of `missing` in a build without roots: what a command lacks is not looked for.
use super::Run;
use super::channel::Failed;
use crate::error::Error;

impl Run<'_> {
    pub(super) fn not_found(&self, _failed: &Failed) -> Option<String> {
        None
    }

    pub(super) fn not_loaded(&self) -> Option<Error> {
        None
    }
}
