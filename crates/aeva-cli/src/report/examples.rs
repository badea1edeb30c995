//! What the found triggers do to some hold-out images, for the page: asked once, and kept in the run folder.

use std::collections::BTreeSet;
use std::ops::Range;

use aeva_artifact::{MAX_ARTIFACT_BYTES, RunDir, read_regular, write_atomically};
use aeva_attack::trigger::{ImageSplit, Trigger};
use aeva_attack::{HardLabelOracle, Label, NO_LABEL};
use aeva_model::{Dataset, LoadedModel};
use aeva_report::{Example, Examples, TriggerExamples};
use aeva_scan::Report;
use aeva_stats::TargetMap;
use anyhow::Context;
use ndarray::{Array4, Axis};

use crate::imaging::{byte, enlarged_png, png};

const FILE: &str = "examples.json";
/// Images for each trigger.
const IMAGES: usize = 4;
/// Triggers with examples. An all-to-all backdoor is one; a model with more backdoors than this is rare.
const TRIGGERS: usize = 8;
/// Pixels around a change that are shown with it.
const MARGIN: usize = 2;

/// The examples in a run folder, if they are about the triggers of this report. A file that cannot be read has none: it is
/// for people alone.
pub(super) fn load(run: &RunDir, report: &Report) -> Option<Examples> {
    let text = read_regular(&run.path().join(FILE), MAX_ARTIFACT_BYTES).ok()?;
    let examples: Examples = serde_json::from_slice(&text).ok()?;
    examples.are_of(descriptions(report)).then_some(examples)
}

fn descriptions(report: &Report) -> impl Iterator<Item = &str> {
    let found = report.lenses.triggers.iter().flat_map(|triggers| &triggers.found).take(TRIGGERS);
    found.map(|found| found.description.as_str())
}

/// Asks the model about stamped hold-out images, and keeps what it answers. Nothing is asked if the run folder has it, or if
/// more than `most` queries would be needed.
pub(crate) fn make(
    run: &RunDir,
    report: &Report,
    data: &Dataset,
    model: &mut LoadedModel,
    seed: u64,
    most: u64,
) -> anyhow::Result<()> {
    let found: Vec<_> = report.lenses.triggers.iter().flat_map(|triggers| &triggers.found).take(TRIGGERS).collect();
    // Pictures have one channel or three.
    if found.is_empty() || !matches!(data.image_shape()[2], 1 | 3) || load(run, report).is_some() {
        return Ok(());
    }
    let split = ImageSplit::new(&model.correct, seed);
    let mut examples = Examples::default();
    for found in found {
        let chosen = chosen(split.holdout(), found.target_map);
        examples.queries += chosen.len() as u64;
        if examples.queries > most {
            return Ok(());
        }
        let oracle = model.oracles.first_mut().context("the model has no oracle")?;
        let images = images(oracle.as_mut(), &found.trigger, &chosen, data)?;
        examples.triggers.push(TriggerExamples { description: found.description.clone(), images });
    }
    write_atomically(&run.path().join(FILE), &serde_json::to_vec(&examples)?)?;
    Ok(())
}

/// Some images that a backdoor is about: of as many labels as possible, in their order.
fn chosen(holdout: &[(usize, Label)], map: TargetMap) -> Vec<(usize, Label)> {
    let about: Vec<(usize, Label)> = holdout.iter().copied().filter(|&(_, label)| map.includes(label)).collect();
    let mut labels = BTreeSet::new();
    let (mut first, others): (Vec<_>, Vec<_>) = about.into_iter().partition(|&(_, label)| labels.insert(label));
    first.extend(others);
    first.truncate(IMAGES);
    first
}

fn images(
    oracle: &mut dyn HardLabelOracle,
    trigger: &Trigger,
    chosen: &[(usize, Label)],
    data: &Dataset,
) -> anyhow::Result<Vec<Example>> {
    let shape = data.image_shape();
    let [height, width, channels] = shape;
    let mut stamped = Array4::<f32>::zeros((chosen.len(), height, width, channels));
    let mut pictures = Vec::new();
    for (mut row, &(index, _)) in stamped.axis_iter_mut(Axis(0)).zip(chosen) {
        let before: Vec<f32> = data.images.index_axis(Axis(0), index).iter().copied().collect();
        let mut after = vec![0.0; before.len()];
        trigger.stamp(&before, shape, &mut after);
        row.iter_mut().zip(&after).for_each(|(value, new)| *value = *new);
        let bytes = |values: &[f32]| values.iter().copied().map(byte).collect::<Vec<u8>>();
        pictures.push([png(&bytes(&before), shape)?, png(&bytes(&after), shape)?, change(&before, &after, shape)?]);
    }
    let mut answers = Vec::new();
    oracle.classify(stamped.view(), &mut answers)?;
    let mut examples = Vec::with_capacity(chosen.len());
    for ((&(index, label), answer), pictures) in chosen.iter().zip(answers).zip(pictures) {
        let [before, after, change] = pictures.map(|png| Example::base64(&png));
        examples.push(Example { index, label, answer: (answer != NO_LABEL).then_some(answer), before, after, change });
    }
    Ok(examples)
}

/// The part of the image that has changed, or, where that is most of it or has gaps, the difference on grey, as strong as it
/// can be shown.
fn change(before: &[f32], after: &[f32], shape: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let [height, width, channels] = shape;
    let is_changed = |place: usize| (before[place] - after[place]).abs() > 1e-6;
    let changed: Vec<usize> =
        (0..before.len()).filter(|&place| is_changed(place)).map(|place| place / channels).collect();
    let rows = || changed.iter().map(|pixel| pixel / width);
    let columns = || changed.iter().map(|pixel| pixel % width);
    let range = |low: Option<usize>, high: Option<usize>| low.zip(high).map_or(0..0, |(low, high)| low..high + 1);
    let (rows, columns) = (range(rows().min(), rows().max()), range(columns().min(), columns().max()));
    let has_gaps = 2 * changed.len() < rows.len() * columns.len();
    let wider = |range: Range<usize>, size: usize| range.start.saturating_sub(MARGIN)..(range.end + MARGIN).min(size);
    let (rows, columns) = (wider(rows, height), wider(columns, width));
    if !changed.is_empty() && !has_gaps && 4 * rows.len() * columns.len() <= height * width {
        let of_row = |row: usize| {
            let begin = (row * width + columns.start) * channels;
            &after[begin..begin + columns.len() * channels]
        };
        let part: Vec<u8> = rows.clone().flat_map(|row| of_row(row).iter().copied().map(byte)).collect();
        return enlarged_png(&part, [rows.len(), columns.len(), channels]);
    }
    let most = before.iter().zip(after).map(|(before, after)| (after - before).abs()).fold(f32::MIN_POSITIVE, f32::max);
    let difference = before.iter().zip(after).map(|(before, after)| byte(0.5 + 0.5 * (after - before) / most));
    enlarged_png(&difference.collect::<Vec<u8>>(), shape)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    #[test]
    fn images_of_many_labels_come_first() {
        let holdout = [(9, 0), (8, 0), (7, 1), (6, 2), (5, 2)];
        let indices = |map| chosen(&holdout, map).into_iter().map(|(index, _)| index).collect::<Vec<usize>>();
        assert_eq!(indices(TargetMap::AllToOne { target: 7 }), [9, 7, 6, 8]);
        assert_eq!(indices(TargetMap::AllToOne { target: 0 }), [7, 6, 5]);
        assert_eq!(indices(TargetMap::SourceSpecific { source: 2, target: 0 }), [6, 5]);
    }

    #[test]
    fn a_small_change_is_cut_out_and_a_large_one_is_a_difference() {
        let before = vec![0.5; 20 * 20];
        let mut after = before.clone();
        after[5 * 20 + 6] = 1.0;
        let size = |png: Vec<u8>| {
            let picture = image::load_from_memory(&png).unwrap();
            (picture.width(), picture.height())
        };
        // Five pixels, enlarged 51 times.
        assert_eq!(size(change(&before, &after, [20, 20, 1]).unwrap()), (255, 255));
        after[19 * 20 + 6] = 1.0;
        assert_eq!(size(change(&before, &after, [20, 20, 1]).unwrap()), (240, 240), "two places");
        after.fill(0.6);
        assert_eq!(size(change(&before, &after, [20, 20, 1]).unwrap()), (240, 240));
        assert_eq!(size(change(&before, &before, [20, 20, 1]).unwrap()), (240, 240), "nothing has changed");
    }
}
