//! Roots: where they are, and paths inside them.

pub(crate) mod place;
pub(crate) mod resolve;
