//! Why a lens is not used.

use aeva_attack::PlanError;

/// Why a lens is left out of a scan through all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// Its expected queries exceed the limit.
    Budget {
        /// Expected queries.
        expected: u64,
        /// The limit.
        budget: u64,
    },
    /// The model does not see changes as small as those of the lens.
    Unseen,
    /// The images do not allow it.
    Plan(PlanError),
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Budget { expected, budget } => {
                write!(f, "they would take about {expected} queries, but only {budget} are allowed")
            }
            Self::Unseen => f.write_str("the model sees pixels in steps of 1/255, which are too coarse for them"),
            Self::Plan(error) => error.fmt(f),
        }
    }
}
