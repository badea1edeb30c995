//! Checks of the content of a trigger file.

use std::collections::BTreeSet;

use aeva_attack::trigger::PassResult;
use aeva_stats::{PairTally, TargetMap};

use super::TriggerArtifact;
use crate::error::DecodeError;
use crate::limits::{check_classes, check_images, check_label, check_pair, check_queries, check_shape, check_sum};

pub(super) fn check(artifact: &TriggerArtifact) -> Result<(), DecodeError> {
    check_shape(artifact.shape)?;
    let classes = check_classes(artifact.provenance.model.classes)?;
    check_queries(std::iter::once(artifact.result.queries))?;
    let (queries, unlabelled) = (artifact.result.queries, artifact.result.unlabelled);
    if unlabelled > queries {
        return Err(DecodeError::Inconsistent(format!("{unlabelled} of {queries} images without a label")));
    }
    check_goals(artifact, classes)?;
    for finding in &artifact.result.findings {
        finding.trigger.check(artifact.id.setting, artifact.shape)?;
        check_images(finding.search.trials())?;
        let cells = || finding.holdout.iter().chain(&finding.kept);
        check_cells(cells(), classes)?;
        check_sum(cells().map(|cell| cell.tally.trials()))?;
    }
    check_cells(artifact.result.confusion.iter(), classes)?;
    check_once(artifact.result.confusion.iter().map(|cell| (cell.source, cell.target)), |&(source, target)| {
        format!("the cell of label {source} and answer {target}")
    })
}

/// Checks that every label has one goal, or of many labels enough of them, and that other goals occur at most once.
fn check_goals(artifact: &TriggerArtifact, classes: u32) -> Result<(), DecodeError> {
    for finding in &artifact.result.findings {
        match finding.goal {
            TargetMap::AllToOne { target: label } => check_label("a goal", label, classes)?,
            TargetMap::SourceSpecific { source, target } => check_pair(source, target, classes)?,
            TargetMap::AllToAll => {}
        }
    }
    check_once(artifact.result.findings.iter().map(|finding| finding.goal), |goal| match goal {
        TargetMap::AllToOne { target: label } => format!("label {label}"),
        TargetMap::SourceSpecific { source, target } => format!("pair {source} -> {target}"),
        TargetMap::AllToAll => "the all-to-all map".to_owned(),
    })?;
    let labels = artifact.result.findings.iter().filter(|finding| finding.goal.is_all_to_one()).count();
    if labels < PassResult::LABELS_KEPT.min(classes as usize) {
        return Err(DecodeError::Inconsistent(format!("{labels} labels of a model with {classes}")));
    }
    Ok(())
}

fn check_once<T: Ord>(items: impl Iterator<Item = T>, name: impl Fn(&T) -> String) -> Result<(), DecodeError> {
    let mut seen = BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            return Err(DecodeError::Twice { what: name(&item) });
        }
        seen.insert(item);
    }
    Ok(())
}

fn check_cells<'a>(cells: impl Iterator<Item = &'a PairTally>, classes: u32) -> Result<(), DecodeError> {
    for cell in cells {
        check_label("images", cell.source, classes)?;
        check_label("answers", cell.target, classes)?;
        check_images(cell.tally.trials())?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::provenance::examples;
    use aeva_attack::trigger::{Overlay, Pass, PassId, PassResult, Patch, Setting, Trigger, TriggerFinding, Unfit};
    use aeva_stats::{Family, Tally};

    fn tally(hits: u32, trials: u32) -> Tally {
        Tally::new(hits, trials).unwrap()
    }

    fn cell(source: u32, target: u32) -> PairTally {
        PairTally { source, target, tally: tally(3, 4) }
    }

    /// An artifact of ten labels, a pair and the map, all with this trigger.
    fn artifact(family: Family, strength: u32, trigger: &Trigger) -> TriggerArtifact {
        let finding = |goal, holdout| TriggerFinding {
            goal,
            trigger: trigger.clone(),
            climbed: true,
            search: tally(5, 6),
            holdout,
            kept: vec![cell(4, 4), cell(5, 5)],
        };
        let mut findings: Vec<TriggerFinding> = (0..10)
            .map(|label| finding(TargetMap::AllToOne { target: label }, vec![cell((label + 1) % 10, label)]))
            .collect();
        findings.push(finding(TargetMap::SourceSpecific { source: 7, target: 2 }, vec![cell(7, 2)]));
        findings.push(finding(TargetMap::AllToAll, vec![cell(0, 1), cell(1, 0)]));
        TriggerArtifact {
            provenance: examples::run(),
            trigger_search_version: 1,
            id: PassId { setting: Setting { family, strength }, pass: Pass::Explore },
            shape: [8, 9, 3],
            result: PassResult { findings, confusion: vec![cell(7, 7), cell(7, 8)], queries: 77, unlabelled: 7 },
        }
    }

    fn patches() -> TriggerArtifact {
        let patch = Patch { row: 6, column: 7, side: 2, values: vec![1.0; 12] };
        artifact(Family::Square, 8, &Trigger::Patch(patch))
    }

    fn patterns() -> TriggerArtifact {
        let overlay = Overlay { amplitude: 16.0 / 255.0, pattern: vec![-1.0; 216] };
        artifact(Family::Noise, 16, &Trigger::Overlay(overlay))
    }

    /// The error of a changed file with a valid checksum.
    fn forged(mut artifact: TriggerArtifact, change: impl FnOnce(&mut TriggerArtifact)) -> DecodeError {
        assert_eq!(TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
        change(&mut artifact);
        TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap_err()
    }

    fn patch(change: impl Fn(&mut Patch)) -> DecodeError {
        forged(patches(), |artifact| {
            let Trigger::Patch(patch) = &mut artifact.result.findings[4].trigger else { unreachable!() };
            change(patch);
        })
    }

    fn overlay(change: impl Fn(&mut Overlay)) -> DecodeError {
        forged(patterns(), |artifact| {
            let Trigger::Overlay(overlay) = &mut artifact.result.findings[4].trigger else { unreachable!() };
            change(overlay);
        })
    }

    #[test]
    fn patches_fit_their_setting_and_image() {
        let none = patch(|p| (p.side, p.values) = (0, vec![]));
        assert!(matches!(none, DecodeError::Trigger(Unfit::Size { found: 0, expected: 2, .. })), "{none}");
        let other = patch(|p| (p.row, p.column, p.side, p.values) = (0, 0, 3, vec![0.0; 27]));
        assert!(matches!(other, DecodeError::Trigger(Unfit::Size { found: 3, expected: 2, .. })), "{other}");
        assert!(patch(|p| p.row = 7).to_string().contains("leaves an image of 8 x 9"));
        assert!(patch(|p| p.column = 0xffff_ffff).to_string().contains("leaves an image of 8 x 9"));
        assert!(patch(|p| p.values.truncate(11)).to_string().contains("a patch has 11 values, needs 12"));
        for wrong in [f32::NAN, f32::INFINITY, 1e30, -0.1] {
            let error = patch(|p| p.values[3] = wrong);
            assert!(matches!(error, DecodeError::Trigger(Unfit::Value { what: "patch", .. })), "{error}");
        }
        let mixed = forged(patches(), |a| a.result.findings[3].trigger = patterns().result.findings[3].trigger.clone());
        assert!(matches!(mixed, DecodeError::Trigger(Unfit::Family { expected: "patch", .. })), "{mixed}");
    }

    #[test]
    fn patterns_fit_their_setting_and_image() {
        for wrong in [f32::NAN, f32::INFINITY, -16.0 / 255.0, 0.5] {
            let error = overlay(|o| o.amplitude = wrong);
            assert!(matches!(error, DecodeError::Trigger(Unfit::Amplitude { .. })), "{error}");
        }
        for wrong in [f32::NAN, 1.5, -1.01] {
            let error = overlay(|o| o.pattern[3] = wrong);
            assert!(matches!(error, DecodeError::Trigger(Unfit::Value { what: "pattern", .. })), "{error}");
        }
        assert!(overlay(|o| o.pattern.push(0.0)).to_string().contains("a pattern has 217 values, needs 216"));
        let mixed = forged(patterns(), |a| a.result.findings[3].trigger = patches().result.findings[3].trigger.clone());
        assert!(matches!(mixed, DecodeError::Trigger(Unfit::Family { expected: "pattern", .. })), "{mixed}");
        let strong = forged(patterns(), |artifact| {
            artifact.id.setting.strength = 256;
            for finding in &mut artifact.result.findings {
                let Trigger::Overlay(overlay) = &mut finding.trigger else { continue };
                overlay.amplitude = artifact.id.setting.amplitude();
            }
        });
        assert!(matches!(strong, DecodeError::Trigger(Unfit::Amplitude { .. })), "{strong}");
    }

    #[test]
    fn images_have_values_and_models_have_labels() {
        let top = u32::MAX as usize;
        for shape in [[8, 9, 0], [0, 9, 3], [60_000, 60_000, 1], [top, top, top]] {
            let error = forged(patches(), |a| a.shape = shape);
            assert!(matches!(error, DecodeError::Shape { .. }), "{error}");
        }
        let error = forged(patches(), |a| a.provenance.model.classes = u32::MAX);
        assert!(matches!(error, DecodeError::Classes { found: u32::MAX, .. }), "{error}");
        let error = forged(patches(), |a| a.provenance.model.classes = 11);
        assert!(error.to_string().contains("10 labels of a model with 11"), "{error}");
    }

    #[test]
    fn goals_are_there_once_and_of_the_model() {
        let goal = |at: usize, goal| forged(patches(), |a| a.result.findings[at].goal = goal);
        assert!(matches!(
            goal(3, TargetMap::AllToOne { target: 10 }),
            DecodeError::Label { found: 10, classes: 10, .. }
        ));
        assert!(matches!(goal(3, TargetMap::AllToOne { target: 2 }), DecodeError::Twice { .. }));
        assert!(matches!(goal(3, TargetMap::AllToAll), DecodeError::Twice { .. }));
        let pair = |source, target| goal(10, TargetMap::SourceSpecific { source, target });
        assert!(matches!(pair(7, 10), DecodeError::Label { .. }));
        assert!(matches!(pair(u32::MAX, 2), DecodeError::Label { .. }));
        assert!(matches!(pair(7, 7), DecodeError::SelfPair { label: 7 }));
        let twice = forged(patches(), |a| a.result.findings.push(a.result.findings[10].clone()));
        assert!(matches!(&twice, DecodeError::Twice { what } if what == "pair 7 -> 2"), "{twice}");
        let few = forged(patches(), |a| drop(a.result.findings.remove(3)));
        assert!(few.to_string().contains("9 labels of a model with 10"), "{few}");
    }

    #[test]
    fn impossible_counts_are_refused() {
        let top = u32::MAX;
        let held = |cell| forged(patches(), |a| a.result.findings[2].holdout = vec![cell]);
        assert!(matches!(held(cell(10, 2)), DecodeError::Label { what: "images", .. }));
        assert!(matches!(held(cell(1, top)), DecodeError::Label { what: "answers", .. }));
        let many = held(PairTally { tally: tally(3, top), ..cell(1, 2) });
        assert!(matches!(many, DecodeError::TooManyImages { .. }), "{many}");
        let large = PairTally { tally: tally(3, 1 << 24), ..cell(1, 2) };
        let sum = forged(patches(), |a| a.result.findings[2].holdout = vec![large; 256]);
        assert!(matches!(sum, DecodeError::TooManyImages { found, .. } if found == (1 << 32) + 8), "{sum}");
        let queries = forged(patches(), |a| a.result.queries = u64::MAX);
        assert!(matches!(queries, DecodeError::TooManyQueries { found: u64::MAX, .. }), "{queries}");
        let confusion = |cells: Vec<PairTally>| forged(patches(), |a| a.result.confusion = cells);
        assert!(matches!(confusion(vec![cell(0, 10)]), DecodeError::Label { .. }));
        assert!(matches!(confusion(vec![cell(0, 1), cell(0, 1)]), DecodeError::Twice { .. }));
        assert!(matches!(
            confusion(vec![PairTally { tally: tally(3, top), ..cell(0, 1) }]),
            DecodeError::TooManyImages { .. }
        ));
    }

    #[test]
    fn sums_of_what_was_not_read_from_a_file_do_not_wrap() {
        let mut artifact = patches();
        let most = PairTally { tally: tally(u32::MAX, u32::MAX), ..cell(0, 1) };
        for finding in &mut artifact.result.findings {
            finding.holdout = vec![most, PairTally { source: 1, ..most }];
        }
        let found = artifact.tally();
        assert!(found.labels.iter().chain([&found.map]).all(|goal| goal.pooled() == most.tally));
        assert!(artifact.fits([8, 9, 3]) && !artifact.fits([9, 8, 3]));
    }
}
