//! Evidence files: triggers, and where perturbations agree, each as a picture and as values.

use std::io::Cursor;

use aeva_artifact::{RunDir, write_atomically};
use aeva_attack::trigger::{Items, Trigger, TriggerArray, TriggerFinding};
use aeva_stats::{ConsensusMap, TargetMap};
use anyhow::Context;
use ndarray::{Array2, ArrayD};
use ndarray_npy::NpzWriter;

use crate::imaging::{byte, enlarged_png};

const FOLDER: &str = "evidence";

/// Writes the trigger that shows a backdoor as `evidence/label-3.png` and `evidence/label-3.npz`; its shape says what they show. Returns the
/// file names.
pub(super) fn write(
    run: &RunDir,
    map: TargetMap,
    finding: &TriggerFinding,
    shape: [usize; 3],
) -> anyhow::Result<Vec<String>> {
    let name = match map {
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
    let pixels: Vec<u8> = trigger.picture(shape).into_iter().map(byte).collect();
    enlarged_png(&pixels, shape)
}

/// The arrays of a trigger, whose names depend on its shape; for images in `[0, 1]`.
fn values(trigger: &Trigger, shape: [usize; 3]) -> anyhow::Result<Vec<u8>> {
    let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    for TriggerArray { name, dimensions, items } in trigger.arrays(shape) {
        match items {
            Items::Numbers(numbers) => {
                let numbers = numbers.into_iter().map(i64::try_from).collect::<Result<_, _>>()?;
                writer.add_array(name, &ArrayD::from_shape_vec(dimensions, numbers)?)?;
            }
            Items::Values(values) => writer.add_array(name, &ArrayD::from_shape_vec(dimensions, values)?)?,
        }
    }
    Ok(writer.finish().context("cannot write .npz")?.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_attack::trigger::{Overlay, Patch};
    use ndarray::{Array0, Array3};
    use ndarray_npy::NpzReader;

    #[test]
    fn the_arrays_of_a_patch_are_its_values_and_its_place() {
        let patch = Trigger::Patch(Patch { row: 1, column: 2, side: 1, values: vec![0.25, 0.5, 0.75] });
        let mut npz = NpzReader::new(Cursor::new(values(&patch, [4, 5, 3]).unwrap())).unwrap();
        assert_eq!(npz.names().unwrap(), ["patch", "row", "column"]);
        let patch: Array3<f32> = npz.by_name("patch").unwrap();
        assert_eq!((patch.shape(), patch.as_slice().unwrap()), (&[1, 1, 3][..], &[0.25, 0.5, 0.75][..]));
        let [row, column] = ["row", "column"].map(|name| npz.by_name::<_, _>(name).unwrap());
        assert_eq!((row, column), (Array0::from_elem((), 1_i64), Array0::from_elem((), 2_i64)));
    }

    #[test]
    fn the_array_of_a_pattern_is_what_it_adds() {
        let pattern = Trigger::Overlay(Overlay { amplitude: 0.25, pattern: vec![1.0, -1.0] });
        let mut npz = NpzReader::new(Cursor::new(values(&pattern, [1, 2, 1]).unwrap())).unwrap();
        assert_eq!(npz.names().unwrap(), ["overlay"]);
        let added: Array3<f32> = npz.by_name("overlay").unwrap();
        assert_eq!((added.shape(), added.as_slice().unwrap()), (&[1, 2, 1][..], &[0.25, -0.25][..]));
    }
}
