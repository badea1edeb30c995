//! Findings of earlier passes that a pass may start from.

use aeva_stats::{Family, PairTally};

use super::{Pass, PassId, PassResult, Setting, TriggerFinding};

/// Findings of earlier passes. A field is empty if its pass has not run.
#[derive(Debug, Clone, Copy, Default)]
pub struct WarmStart<'a> {
    /// From the exploring pass over the next weaker setting of the family. Exploring passes start from them.
    pub weaker: &'a [TriggerFinding],
    /// From the exploring pass over the same setting. Refining passes start from them.
    pub explored: &'a [TriggerFinding],
    /// From the refining pass over the next stronger setting of the family. Refining passes start from them.
    pub stronger: &'a [TriggerFinding],
    /// Outcomes under random squares.
    pub baseline: &'a [PairTally],
}

impl<'a> WarmStart<'a> {
    /// Collects what a pass over images `[h, w, c]` starts from. `made` returns the result of a pass that has run.
    pub fn of(id: PassId, shape: [usize; 3], made: impl Fn(PassId) -> Option<&'a PassResult>) -> Self {
        let findings = |setting: Option<Setting>, pass: Pass| -> &'a [TriggerFinding] {
            let result = setting.and_then(|setting| made(PassId { setting, pass }));
            result.map_or(&[], |result| &result.findings)
        };
        let setting = id.setting;
        let is_baseline = |family: &Family| family.spec().is_baseline;
        let of_baseline = |setting: &Setting| is_baseline(&setting.family);
        let baseline = Setting::explored(shape)
            .into_iter()
            .filter(of_baseline)
            .find_map(|setting| made(PassId { setting, pass: Pass::Explore }));
        let baseline = baseline.map_or(&[][..], |result| &result.confusion);
        match id.pass {
            Pass::Explore => {
                Self { weaker: findings(setting.weaker(shape), Pass::Explore), baseline, ..Self::default() }
            }
            Pass::Refine => Self {
                explored: findings(Some(setting), Pass::Explore),
                stronger: findings(setting.stronger(shape), Pass::Refine),
                baseline,
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::trigger::{Patch, Trigger};
    use aeva_stats::{Tally, TargetMap};
    use std::collections::BTreeMap;

    /// A result whose label identifies its pass.
    fn result(label: u32) -> PassResult {
        let trigger = Trigger::Patch(Patch { row: 0, column: 0, side: 1, values: vec![0.0] });
        let goal = TargetMap::AllToOne { target: label };
        let finding =
            TriggerFinding { goal, trigger, climbed: true, search: Tally::ZERO, holdout: Vec::new(), kept: Vec::new() };
        let confusion = vec![PairTally { source: label, target: 0, tally: Tally::ZERO }];
        PassResult { findings: vec![finding], confusion, queries: 0, unlabelled: 0 }
    }

    #[test]
    fn a_pass_begins_with_its_neighbours() {
        let shape = [32, 32, 3];
        let explored = Setting::explored(shape).into_iter().map(|setting| PassId { setting, pass: Pass::Explore });
        let refined = Setting::refined(shape).into_iter().map(|setting| PassId { setting, pass: Pass::Refine });
        let made: BTreeMap<PassId, PassResult> = explored
            .chain(refined)
            .map(|id| (id, result(id.setting.strength + if id.pass == Pass::Refine { 100 } else { 0 })))
            .collect();
        let of = |name: &str, pass| {
            let warm = WarmStart::of(PassId { setting: name.parse().unwrap(), pass }, shape, |id| made.get(&id));
            let label = |findings: &[TriggerFinding]| findings.first().and_then(|finding| finding.goal.target());
            [label(warm.weaker), label(warm.explored), label(warm.stronger), warm.baseline.first().map(|c| c.source)]
        };
        assert_eq!(of("patch-04", Pass::Explore), [Some(2), None, None, Some(10)]);
        assert_eq!(of("patch-02", Pass::Explore), [None, None, None, Some(10)], "single pixels are not explored");
        assert_eq!(of("overlay-16", Pass::Explore), [None, None, None, Some(10)]);
        assert_eq!(of("patch-04", Pass::Refine), [None, Some(4), Some(106), Some(10)]);
        assert_eq!(of("patch-01", Pass::Refine), [None, None, Some(102), Some(10)]);
        assert_eq!(of("patch-08", Pass::Refine), [None, Some(8), None, Some(10)]);
        let nothing =
            WarmStart::of(PassId { setting: "patch-04".parse().unwrap(), pass: Pass::Refine }, shape, |_| None);
        assert!(nothing.explored.is_empty() && nothing.stronger.is_empty() && nothing.baseline.is_empty());
    }
}
