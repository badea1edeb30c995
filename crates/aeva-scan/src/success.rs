//! From what a search found to what the statistics take.

use aeva_artifact::{Family, TriggerArtifact, Turned};
use aeva_stats::{LevelSuccess, PairSuccess, TriggerFamily};

/// Success of the triggers of one look on images held out.
pub fn success(artifact: &TriggerArtifact) -> LevelSuccess {
    let pair = |cell: Turned| PairSuccess {
        source: cell.source as usize,
        target: cell.target as usize,
        turned: cell.turned,
        asked: cell.asked,
    };
    LevelSuccess {
        family: family(artifact.level.family),
        strength: artifact.level.actual_strength(artifact.shape),
        labels: artifact.label_proofs(),
        pairs: artifact.pair_proofs().into_iter().map(pair).collect(),
        confusion: artifact.confusion.iter().copied().map(pair).collect(),
        map: artifact.map_proof(),
    }
}

/// The same family, as the statistics call it.
pub(crate) fn family(of: Family) -> TriggerFamily {
    match of {
        Family::Patch => TriggerFamily::Patch,
        Family::Overlay => TriggerFamily::Overlay,
        Family::Wave => TriggerFamily::Wave,
        Family::Noise => TriggerFamily::Noise,
        Family::Square => TriggerFamily::Square,
    }
}
