//! Evidence files: triggers, and where perturbations agree, each as a picture and as values.

use std::io::Cursor;

use aeva_artifact::{RunDir, write_atomically};
use aeva_attack::trigger::{Trigger, TriggerFinding};
use aeva_stats::{ConsensusMap, TargetMap};
use anyhow::Context;
use ndarray::{Array0, Array2, Array3};
use ndarray_npy::NpzWriter;

use crate::imaging::{byte, enlarged_png};

const FOLDER: &str = "evidence";

/// Writes a trigger as `evidence/label-3.png` (on grey, or a pattern at full contrast) and
/// `evidence/label-3.npz`; returns the file names.
pub(super) fn write(run: &RunDir, finding: &TriggerFinding, shape: [usize; 3]) -> anyhow::Result<Vec<String>> {
    let name = match finding.goal {
        TargetMap::AllToOne { target } => format!("label-{target}"),
        TargetMap::SourceSpecific { source, target } => format!("pair-{source}-{target}"),
        TargetMap::AllToAll => "map".to_owned(),
    };
    let folder = run.sub_folder(FOLDER)?;
    let mut names = Vec::new();
    if matches!(shape[2], 1 | 3) {
        names.push(format!("{FOLDER}/{name}.png"));
        write_atomically(&run.path().join(&names[0]), &picture(&finding.trigger, shape)?)?;
    }
    names.push(format!("{FOLDER}/{name}.npz"));
    write_atomically(&folder.join(format!("{name}.npz")), &values(&finding.trigger, shape)?)?;
    Ok(names)
}

/// Writes where the perturbations towards a label agree: as `evidence/consensus-3.png` (brighter is more) and as
/// `evidence/consensus-3.npz` with `map` `[h, w]`, which sums to 1. Returns the file names; none without perturbations.
pub(super) fn write_consensus(run: &RunDir, label: u32) -> anyhow::Result<Vec<String>> {
    let (mut consensus, mut size) = (ConsensusMap::default(), [0; 2]);
    for (source, target) in run.stored_pairs()?.into_iter().filter(|&(_, target)| target == label) {
        let Some(pair) = run.load(source, target)? else { continue };
        let [height, width, channels] = pair.result.shape;
        size = [height, width];
        for perturbation in pair.result.finished() {
            // A perturbation without mass has no position and is skipped.
            let _ = consensus.add(perturbation, channels);
        }
    }
    let Some(map) = consensus.map() else { return Ok(Vec::new()) };
    run.sub_folder(FOLDER)?;
    let names = vec![format!("{FOLDER}/consensus-{label}.png"), format!("{FOLDER}/consensus-{label}.npz")];
    let highest = map.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    // The square root keeps weak values visible beside the peak.
    #[expect(clippy::cast_possible_truncation, reason = "a shade of grey")]
    let pixels: Vec<u8> = map.iter().map(|share| byte((share / highest).sqrt() as f32)).collect();
    write_atomically(&run.path().join(&names[0]), &enlarged_png(&pixels, [size[0], size[1], 1])?)?;
    let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    writer.add_array("map", &Array2::from_shape_vec((size[0], size[1]), map)?)?;
    let bytes = writer.finish().context("cannot write .npz")?.into_inner();
    write_atomically(&run.path().join(&names[1]), &bytes)?;
    Ok(names)
}

fn picture(trigger: &Trigger, shape: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let [height, width, channels] = shape;
    let grey = vec![0.5; height * width * channels];
    let pixels: Vec<u8> = if let Trigger::Overlay(overlay) = trigger {
        overlay.pattern.iter().map(|value| byte(0.5 + 0.5 * value)).collect()
    } else {
        let mut out = grey.clone();
        trigger.stamp(&grey, shape, &mut out);
        out.into_iter().map(byte).collect()
    };
    enlarged_png(&pixels, shape)
}

/// A patch becomes `patch` `[side, side, c]`, `row` and `column`; a pattern becomes `overlay` `[h, w, c]`, the values
/// to add; for images in `[0, 1]`.
fn values(trigger: &Trigger, [height, width, channels]: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    match trigger {
        Trigger::Patch(patch) => {
            let values = Array3::from_shape_vec((patch.side, patch.side, channels), patch.values.clone())?;
            writer.add_array("patch", &values)?;
            writer.add_array("row", &Array0::from_elem((), i64::try_from(patch.row)?))?;
            writer.add_array("column", &Array0::from_elem((), i64::try_from(patch.column)?))?;
        }
        Trigger::Overlay(overlay) => {
            let added = overlay.pattern.iter().map(|value| value * overlay.amplitude).collect();
            writer.add_array("overlay", &Array3::from_shape_vec((height, width, channels), added)?)?;
        }
    }
    Ok(writer.finish().context("cannot write .npz")?.into_inner())
}
