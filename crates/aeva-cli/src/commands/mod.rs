//! One file a command.

pub(crate) mod cli;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod scan;
pub(crate) mod setup;
pub(crate) mod stats;

mod model;
