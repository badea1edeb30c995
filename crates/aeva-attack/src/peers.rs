//! Others that make the same trigger pass at the same time, such as other shares of a scan.

use crate::Label;

/// Others that make the same trigger pass at the same time. They ask the same queries in the same order, because these are a
/// function of the answers, so that each query needs an answer from one of them alone.
///
/// Nothing that they do changes a result: it changes who asks.
pub trait Peers: Sync {
    /// Takes a piece of the queries, named by the position of its first one; false if it is with another. After each
    /// `round`, what the others took and did not answer may be taken again.
    fn take(&self, first: usize, round: u32) -> bool;

    /// Adds the answers that the others have got, at their positions, to those in `answers`; where one is missing there is
    /// [`UNANSWERED`](crate::UNANSWERED).
    fn gather(&self, answers: &mut Vec<Label>);

    /// Waits a moment for the others.
    fn wait(&self) -> Waited;
}

/// What came of waiting for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// They may go on.
    Moment,
    /// They have been silent for too long to count on them.
    Silence,
    /// One of them has finished the pass.
    Finished,
}
