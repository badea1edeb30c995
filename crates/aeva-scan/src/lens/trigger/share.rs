//! The passes of a share: whole families, because a pass starts from the one over the next weaker setting of its family.

use aeva_attack::trigger::{Pass, PassId, Setting};
use aeva_stats::{Family, Search};

use super::plan::TriggerPlan;
use crate::effort::Effort;

/// The passes that a scan of this effort makes of images `[h, w, c]` whatever they find, in the order of a scan.
///
/// Refining passes depend on what all exploring passes find, unless the scan is exhaustive. So nobody has them as a share.
fn settled(shape: [usize; 3], effort: Effort) -> Vec<PassId> {
    let (explored, refined) = TriggerPlan::settings(shape, effort);
    let of = |settings: Vec<Setting>, pass: Pass| settings.into_iter().map(move |setting| PassId { setting, pass });
    let refined = if effort == Effort::Exhaustive { refined } else { Vec::new() };
    of(explored, Pass::Explore).chain(of(refined, Pass::Refine)).collect()
}

/// The families that can be shared out, in the order of a scan, each with its passes.
pub(super) fn chains(shape: [usize; 3], effort: Effort) -> Vec<Vec<PassId>> {
    let mut chains: Vec<(Family, Vec<PassId>)> = Vec::new();
    for id in settled(shape, effort) {
        match chains.iter_mut().find(|(family, _)| *family == id.setting.family) {
            Some((_, chain)) => chain.push(id),
            None => chains.push((id.setting.family, vec![id])),
        }
    }
    chains.into_iter().map(|(_, chain)| chain).collect()
}

/// The passes of a share that has some of the [`chains`], in the order of a scan. Searches that come after the baseline start
/// from it, so every share with one has it as well.
pub(super) fn passes(shape: [usize; 3], effort: Effort, own: &[bool]) -> Vec<PassId> {
    let chains = chains(shape, effort);
    let own: Vec<PassId> = chains.into_iter().zip(own).filter(|(_, own)| **own).flat_map(|(chain, _)| chain).collect();
    let all = settled(shape, effort);
    let is_baseline = |id: &PassId| id.setting.family.spec().is_baseline;
    let after = all.iter().position(is_baseline).map_or(&[][..], |place| &all[place..]);
    let climbs = |id: &&PassId| !matches!(id.setting.search(), Search::Random(_));
    let needs_baseline = after.iter().filter(climbs).any(|id| own.contains(id));
    all.iter().copied().filter(|id| own.contains(id) || (needs_baseline && is_baseline(id))).collect()
}

/// The passes that one may start from: of those before it in a scan, those of its family, and the baseline. A baseline that
/// comes after it has no part in it, also if another share has made it already.
pub(super) fn before(shape: [usize; 3], effort: Effort, id: PassId) -> Vec<PassId> {
    let family = id.setting.family;
    let counts = |other: &PassId| other.setting.family == family || other.setting.family.spec().is_baseline;
    settled(shape, effort).into_iter().take_while(|other| *other != id).filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SHAPES: [[usize; 3]; 3] = [[16, 16, 1], [32, 32, 3], [224, 224, 3]];

    #[test]
    fn all_shares_together_have_all_passes() {
        for shape in SHAPES {
            for effort in Effort::ALL {
                let count = chains(shape, effort).len();
                let mut all = BTreeSet::new();
                for one in 0..count {
                    let own: Vec<bool> = (0..count).map(|place| place == one).collect();
                    all.extend(passes(shape, effort, &own));
                }
                assert_eq!(all, settled(shape, effort).into_iter().collect(), "{shape:?}");
                assert_eq!(passes(shape, effort, &vec![true; count]), settled(shape, effort));
                assert!(passes(shape, effort, &vec![false; count]).is_empty());
            }
        }
    }

    #[test]
    fn a_pass_starts_from_what_comes_before_it_in_a_scan() {
        let of = |name: &str| {
            let all = settled(SHAPES[1], Effort::Standard);
            let id = all.into_iter().find(|id| id.to_string() == name).expect("a pass");
            before(SHAPES[1], Effort::Standard, id).iter().map(ToString::to_string).collect::<Vec<String>>()
        };
        assert_eq!(of("patch-02"), [""; 0], "the baseline comes later");
        assert_eq!(of("patch-08"), ["patch-02", "square-10", "patch-04"]);
        assert_eq!(of("overlay-16"), ["square-10"]);
    }

    #[test]
    fn a_share_has_what_its_searches_start_from() {
        let shape = SHAPES[1];
        let chains = chains(shape, Effort::Standard);
        let of = |family: Family| {
            let own: Vec<bool> = chains.iter().map(|chain| chain[0].setting.family == family).collect();
            passes(shape, Effort::Standard, &own).iter().map(ToString::to_string).collect::<Vec<String>>()
        };
        assert_eq!(of(Family::Patch), ["patch-02", "square-10", "patch-04", "patch-08"]);
        assert_eq!(of(Family::Tone), ["tone-01"]);
        assert_eq!(of(Family::Square), ["square-10"]);
        assert_eq!(of(Family::Overlay), ["square-10", "overlay-16"]);
    }
}
