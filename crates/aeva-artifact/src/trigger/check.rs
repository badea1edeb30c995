//! Whether what a file says of triggers can be true.

use std::collections::BTreeSet;

use super::{Aim, Family, Overlay, Patch, Trigger, TriggerArtifact, Turned};
use crate::DecodeError;
use crate::limits::{check_classes, check_count, check_label, check_pair, check_queries, check_shape, check_sum};

/// Amplitudes are quotients of small numbers: what differs by more is another one.
const SAME_AMPLITUDE: f32 = 1e-6;

pub(super) fn check(artifact: &TriggerArtifact) -> Result<(), DecodeError> {
    let values = check_shape(artifact.shape)?;
    let classes = check_classes(&artifact.provenance)?;
    check_queries(std::iter::once(artifact.queries))?;
    check_aims(artifact, classes)?;
    for finding in &artifact.findings {
        match &finding.trigger {
            Trigger::Patch(patch) => check_patch(patch, artifact)?,
            Trigger::Overlay(overlay) => check_overlay(overlay, artifact, values)?,
        }
        check_count(finding.search.0, finding.search.1)?;
        check_cells(&finding.held_out, classes)?;
        check_sum(finding.held_out.iter().map(|cell| cell.asked))?;
    }
    check_cells(&artifact.confusion, classes)?;
    check_once(artifact.confusion.iter().map(|cell| (cell.source, cell.target)), |&(source, target)| {
        format!("the cell of label {source} and answer {target}")
    })
}

/// Every label once, other aims at most once.
fn check_aims(artifact: &TriggerArtifact, classes: u32) -> Result<(), DecodeError> {
    for finding in &artifact.findings {
        match finding.aim {
            Aim::Label(label) => check_label("an aim", label, classes)?,
            Aim::Pair { source, target } => check_pair(source, target, classes)?,
            Aim::Map => {}
        }
    }
    check_once(artifact.findings.iter().map(|finding| finding.aim), |aim| match aim {
        Aim::Label(label) => format!("label {label}"),
        Aim::Pair { source, target } => format!("pair {source} -> {target}"),
        Aim::Map => "the map".to_owned(),
    })?;
    let labels = artifact.findings.iter().filter(|finding| matches!(finding.aim, Aim::Label(_))).count();
    if labels != classes as usize {
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

fn check_cells(cells: &[Turned], classes: u32) -> Result<(), DecodeError> {
    for cell in cells {
        check_label("images", cell.source, classes)?;
        check_label("answers", cell.target, classes)?;
        check_count(cell.turned, cell.asked)?;
    }
    Ok(())
}

fn check_patch(patch: &Patch, artifact: &TriggerArtifact) -> Result<(), DecodeError> {
    let (level, [height, width, channels]) = (artifact.level, artifact.shape);
    if !matches!(level.family, Family::Patch | Family::Square) {
        return Err(DecodeError::Family { level: level.to_string(), expected: "pattern" });
    }
    let &Patch { row, column, side, ref values } = patch;
    if row.saturating_add(side) > height || column.saturating_add(side) > width {
        let what =
            format!("a patch of side {side} at row {row}, column {column} leaves an image of {height} x {width}");
        return Err(DecodeError::Inconsistent(what));
    }
    let expected = level.side(artifact.shape);
    if side != expected {
        return Err(DecodeError::Side { found: side, expected });
    }
    // It lies within the image, whose values were counted.
    check_values("patch", values, side * side * channels, [0.0, 1.0])
}

fn check_overlay(overlay: &Overlay, artifact: &TriggerArtifact, values: usize) -> Result<(), DecodeError> {
    let level = artifact.level;
    if matches!(level.family, Family::Patch | Family::Square) {
        return Err(DecodeError::Family { level: level.to_string(), expected: "patch" });
    }
    let (found, expected) = (overlay.amplitude, level.amplitude());
    let same = (found - expected).abs() <= SAME_AMPLITUDE;
    if !(same && (0.0..=1.0).contains(&found)) {
        return Err(DecodeError::Amplitude { found, expected });
    }
    check_values("pattern", &overlay.pattern, values, [-1.0, 1.0])
}

fn check_values(what: &'static str, values: &[f32], needed: usize, [low, high]: [f32; 2]) -> Result<(), DecodeError> {
    if values.len() != needed {
        return Err(DecodeError::Inconsistent(format!("a {what} has {} values, needs {needed}", values.len())));
    }
    match values.iter().find(|value| !(low..=high).contains(value)) {
        Some(&found) => Err(DecodeError::Value { what, found, low, high }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, Look, TriggerFinding};
    use super::*;
    use crate::provenance::example;

    fn cell(source: u32, target: u32) -> Turned {
        Turned { source, target, turned: 3, asked: 4 }
    }

    /// Ten labels, a pair and the map, with this trigger.
    fn artifact(family: Family, strength: u32, trigger: &Trigger) -> TriggerArtifact {
        let finding =
            |aim, held_out| TriggerFinding { aim, trigger: trigger.clone(), climbed: true, search: (5, 6), held_out };
        let mut findings: Vec<TriggerFinding> =
            (0..10).map(|label| finding(Aim::Label(label), vec![cell((label + 1) % 10, label)])).collect();
        findings.push(finding(Aim::Pair { source: 7, target: 2 }, vec![cell(7, 2)]));
        findings.push(finding(Aim::Map, vec![cell(0, 1), cell(1, 0)]));
        TriggerArtifact {
            provenance: example(),
            trigger_search_version: 1,
            level: Level { family, strength },
            look: Look::First,
            shape: [8, 9, 3],
            queries: 77,
            findings,
            confusion: vec![cell(7, 7), cell(7, 8)],
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

    /// The error of a file with a right checksum.
    fn forged(mut artifact: TriggerArtifact, change: impl FnOnce(&mut TriggerArtifact)) -> DecodeError {
        assert_eq!(TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap(), artifact);
        change(&mut artifact);
        TriggerArtifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap_err()
    }

    fn patch(change: impl Fn(&mut Patch)) -> DecodeError {
        forged(patches(), |artifact| match &mut artifact.findings[4].trigger {
            Trigger::Patch(patch) => change(patch),
            Trigger::Overlay(_) => unreachable!(),
        })
    }

    fn overlay(change: impl Fn(&mut Overlay)) -> DecodeError {
        forged(patterns(), |artifact| match &mut artifact.findings[4].trigger {
            Trigger::Overlay(overlay) => change(overlay),
            Trigger::Patch(_) => unreachable!(),
        })
    }

    #[test]
    fn patches_fit_their_level_and_image() {
        let none = patch(|p| (p.side, p.values) = (0, vec![]));
        assert!(matches!(none, DecodeError::Side { found: 0, expected: 2 }), "{none}");
        let other = patch(|p| (p.row, p.column, p.side, p.values) = (0, 0, 3, vec![0.0; 27]));
        assert!(matches!(other, DecodeError::Side { found: 3, expected: 2 }), "{other}");
        assert!(patch(|p| p.row = 7).to_string().contains("leaves an image of 8 x 9"));
        assert!(patch(|p| p.column = 0xffff_ffff).to_string().contains("leaves an image of 8 x 9"));
        assert!(patch(|p| p.values.truncate(11)).to_string().contains("a patch has 11 values, needs 12"));
        for wrong in [f32::NAN, f32::INFINITY, 1e30, -0.1] {
            let error = patch(|p| p.values[3] = wrong);
            assert!(matches!(error, DecodeError::Value { what: "patch", .. }), "{error}");
        }
        let mixed = forged(patches(), |a| a.findings[3].trigger = patterns().findings[3].trigger.clone());
        assert!(matches!(mixed, DecodeError::Family { expected: "patch", .. }), "{mixed}");
    }

    #[test]
    fn patterns_fit_their_level_and_image() {
        for wrong in [f32::NAN, f32::INFINITY, -16.0 / 255.0, 0.5] {
            let error = overlay(|o| o.amplitude = wrong);
            assert!(matches!(error, DecodeError::Amplitude { .. }), "{error}");
        }
        for wrong in [f32::NAN, 1.5, -1.01] {
            let error = overlay(|o| o.pattern[3] = wrong);
            assert!(matches!(error, DecodeError::Value { what: "pattern", .. }), "{error}");
        }
        assert!(overlay(|o| o.pattern.push(0.0)).to_string().contains("a pattern has 217 values, needs 216"));
        let mixed = forged(patterns(), |a| a.findings[3].trigger = patches().findings[3].trigger.clone());
        assert!(matches!(mixed, DecodeError::Family { expected: "pattern", .. }), "{mixed}");
        let strong = forged(patterns(), |artifact| {
            artifact.level.strength = 256;
            for finding in &mut artifact.findings {
                let Trigger::Overlay(overlay) = &mut finding.trigger else { continue };
                overlay.amplitude = artifact.level.amplitude();
            }
        });
        assert!(matches!(strong, DecodeError::Amplitude { .. }), "{strong}");
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
    fn aims_are_there_once_and_of_the_model() {
        let aim = |at: usize, aim| forged(patches(), |a| a.findings[at].aim = aim);
        assert!(matches!(aim(3, Aim::Label(10)), DecodeError::Label { found: 10, classes: 10, .. }));
        assert!(matches!(aim(3, Aim::Label(2)), DecodeError::Twice { .. }));
        assert!(matches!(aim(3, Aim::Map), DecodeError::Twice { .. }));
        let pair = |source, target| aim(10, Aim::Pair { source, target });
        assert!(matches!(pair(7, 10), DecodeError::Label { .. }));
        assert!(matches!(pair(u32::MAX, 2), DecodeError::Label { .. }));
        assert!(matches!(pair(7, 7), DecodeError::SelfPair { label: 7 }));
        let twice = forged(patches(), |a| a.findings.push(a.findings[10].clone()));
        assert!(matches!(&twice, DecodeError::Twice { what } if what == "pair 7 -> 2"), "{twice}");
        let few = forged(patches(), |a| drop(a.findings.remove(3)));
        assert!(few.to_string().contains("9 labels of a model with 10"), "{few}");
    }

    #[test]
    fn counts_can_be_true() {
        let top = u32::MAX;
        let held = |cell| forged(patches(), |a| a.findings[2].held_out = vec![cell]);
        assert!(held(Turned { turned: 5, ..cell(1, 2) }).to_string().contains("5 of 4 images turned"));
        assert!(matches!(held(cell(10, 2)), DecodeError::Label { what: "images", .. }));
        assert!(matches!(held(cell(1, top)), DecodeError::Label { what: "answers", .. }));
        let many = held(Turned { asked: top, ..cell(1, 2) });
        assert!(matches!(many, DecodeError::TooManyImages { .. }), "{many}");
        let sum = forged(patches(), |a| a.findings[2].held_out = vec![Turned { asked: 1 << 24, ..cell(1, 2) }; 256]);
        assert!(matches!(sum, DecodeError::TooManyImages { found, .. } if found == 1 << 32), "{sum}");
        let searched = forged(patches(), |a| a.findings[2].search = (7, 6));
        assert!(searched.to_string().contains("7 of 6 images turned"), "{searched}");
        let queries = forged(patches(), |a| a.queries = u64::MAX);
        assert!(matches!(queries, DecodeError::TooManyQueries { found: u64::MAX, .. }), "{queries}");
        let confusion = |cells: Vec<Turned>| forged(patches(), |a| a.confusion = cells);
        assert!(matches!(confusion(vec![cell(0, 10)]), DecodeError::Label { .. }));
        assert!(matches!(confusion(vec![cell(0, 1), cell(0, 1)]), DecodeError::Twice { .. }));
        assert!(confusion(vec![Turned { turned: 101, asked: 100, ..cell(0, 1) }]).to_string().contains("101 of 100"));
        assert!(matches!(confusion(vec![Turned { asked: top, ..cell(0, 1) }]), DecodeError::TooManyImages { .. }));
    }

    #[test]
    fn sums_of_what_was_not_read_from_a_file_do_not_wrap() {
        let mut artifact = patches();
        let most = Turned { turned: u32::MAX, asked: u32::MAX, ..cell(0, 1) };
        for finding in &mut artifact.findings {
            finding.held_out = vec![most, Turned { source: 1, ..most }];
        }
        assert_eq!(artifact.findings[0].proof(), (u32::MAX, u32::MAX));
        assert_eq!(artifact.map_proof(), (u32::MAX, u32::MAX));
        assert_eq!(artifact.label_proofs(), [(u32::MAX, u32::MAX); 10]);
        assert!(artifact.fits([8, 9, 3]) && !artifact.fits([9, 8, 3]));
    }
}
