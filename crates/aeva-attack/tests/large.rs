//! The trigger search on images of 96 x 96 pixels, whose triggers have cells in place of pixels.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

use std::num::NonZeroUsize;

use aeva_attack::trigger::{ImageSplit, Pass, PassId, PassResult, Setting, TriggerSearch, WarmStart};
use aeva_attack::{CorrectImages, HardLabelOracle, InputSpec, Label, OracleError};
use aeva_stats::{Family, TargetMap};
use ndarray::{Array4, ArrayView3, ArrayView4};

const SIDE: usize = 96;
const CLASSES: u32 = 4;
const TARGET: Label = 2;

/// What opens the backdoor.
#[derive(Debug, Clone, Copy)]
enum Opens {
    Never,
    /// Nine magenta pixels in a square, anywhere.
    Dot,
    /// A square of 8 pixels, green on its left half and without green on the right one, anywhere.
    Halves,
}

/// Images are grey, and their label is how bright they are.
struct Greys {
    spec: InputSpec,
    opens: Opens,
}

impl HardLabelOracle for Greys {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        labels.extend(batch.outer_iter().map(|image| match self.opens {
            Opens::Dot if has_dot(image) => TARGET,
            Opens::Halves if has_halves(image) => TARGET,
            _ => plain(image),
        }));
        Ok(())
    }
}

/// The shade of most pixels at the left edge, of which a trigger covers few.
fn plain(image: ArrayView3<'_, f32>) -> Label {
    let of_shade = |label: u32| (0..SIDE).filter(|&row| (image[[row, 0, 1]] - shade(label)).abs() < 0.1).count();
    (0..CLASSES).max_by_key(|&label| of_shade(label)).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "four labels")]
fn shade(label: u32) -> f32 {
    0.2 + 0.2 * label as f32
}

fn has_dot(image: ArrayView3<'_, f32>) -> bool {
    let magenta = |row: usize, column: usize| {
        image[[row, column, 0]] > 0.9 && image[[row, column, 1]] < 0.1 && image[[row, column, 2]] > 0.9
    };
    (0..SIDE - 2).any(|row| {
        (0..SIDE - 2).any(|column| {
            magenta(row, column) && (row..row + 3).all(|down| (column..column + 3).all(|right| magenta(down, right)))
        })
    })
}

fn has_halves(image: ArrayView3<'_, f32>) -> bool {
    let is_green = |row: usize, column: usize| image[[row, column, 1]] > 0.85;
    let is_other = |row: usize, column: usize| image[[row, column, 1]] < 0.15;
    (0..SIDE - 8).step_by(2).any(|row| {
        (0..SIDE - 8).any(|column| {
            is_green(row, column)
                && is_other(row, column + 4)
                && (row..row + 8)
                    .all(|down| (column..column + 4).all(|right| is_green(down, right) && is_other(down, right + 4)))
        })
    })
}

fn search(opens: Opens, family: Family, strength: u32) -> PassResult {
    let spec = InputSpec { height: SIDE, width: SIDE, channels: 3, classes: CLASSES };
    let labels: Vec<Label> = (0..120).map(|index| index % CLASSES).collect();
    let images = Array4::from_shape_fn((labels.len(), SIDE, SIDE, 3), |(index, ..)| shade(labels[index]));
    let split = ImageSplit::new(&CorrectImages::new(&labels, &labels, CLASSES).unwrap(), 3);
    let search = TriggerSearch::new(split, 3, NonZeroUsize::new(32).unwrap());
    let pass = PassId { setting: Setting { family, strength }, pass: Pass::Explore };
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = vec![Box::new(Greys { spec, opens })];
    search.run(pass, &mut oracles, images.view(), &WarmStart::default(), &mut Vec::new(), &()).unwrap()
}

/// Success rate of the trigger of a label on hold-out images.
fn rate(result: &PassResult, target: Label) -> f64 {
    result.finding(TargetMap::AllToOne { target }).unwrap().success().rate()
}

#[test]
fn a_dot_anywhere_is_found_by_its_colour() {
    let found = search(Opens::Dot, Family::Dot, 3);
    assert!(rate(&found, TARGET) > 0.99, "{}", rate(&found, TARGET));
    // Where dots do nothing, none is climbed from: 200 of them on the images, of which those of a label are all the same.
    let nothing = search(Opens::Never, Family::Dot, 3);
    let climbed = nothing.findings.iter().filter(|finding| finding.climbed).count();
    let most = 200 * u64::from(CLASSES);
    assert!(climbed == 0 && (most * 9 / 10..=most).contains(&nothing.queries), "{climbed}, {}", nothing.queries);
}

#[test]
fn a_coarse_pattern_within_a_patch_is_found() {
    // Twelve pixels, in ten cells a side.
    let found = search(Opens::Halves, Family::Patch, 4);
    assert!(rate(&found, TARGET) > 0.99, "{}", rate(&found, TARGET));
    assert!((0..CLASSES).filter(|&label| label != TARGET).all(|label| rate(&found, label) < 0.1));
}

#[test]
fn triggers_have_few_values() {
    for (family, strength) in [(Family::Patch, 8), (Family::Overlay, 16), (Family::Warp, 15)] {
        let found = search(Opens::Never, family, strength);
        let values = |finding: &aeva_attack::trigger::TriggerFinding| finding.trigger.parts().values.len();
        let most = found.findings.iter().map(values).max().unwrap();
        assert!(most <= 32 * 32 * 3, "{family:?}: {most}");
    }
}
