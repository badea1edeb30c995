//! `--effort`: how much of the trigger search to make.

use aeva_scan::Effort;
use clap::ValueEnum;

/// How much of the trigger search to make. `aeva scan --dry-run` shows what each takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EffortChoice {
    /// The cheapest passes, some 2e4 queries: a first answer, which misses weak and source-specific triggers.
    Screen,
    /// Every kind of trigger, with more effort where something stands out.
    Standard,
    /// Every kind and strength, even when the verdict is clear earlier: all infected labels, and the smallest trigger of each.
    Exhaustive,
}

impl EffortChoice {
    pub(crate) fn effort(self) -> Effort {
        match self {
            Self::Screen => Effort::Screen,
            Self::Standard => Effort::Standard,
            Self::Exhaustive => Effort::Exhaustive,
        }
    }
}
