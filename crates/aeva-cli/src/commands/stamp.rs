//! `aeva stamp RUN --label N --data DATA --out PATH`: stamps a trigger on images, so that anyone can check it.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use aeva_artifact::{RunDir, write_atomically};
use aeva_attack::trigger::Trigger;
use aeva_model::Dataset;
use aeva_scan::{DecisionRule, Effort, TriggerObservations};
use aeva_stats::{CombinedRule, TargetMap};
use anyhow::Context;
use ndarray::{Array1, Array4, Axis};
use ndarray_npy::NpzWriter;

use crate::args::StampArgs;
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::imaging::{byte, png};

pub(crate) fn run(args: &StampArgs) -> anyhow::Result<ExitStatus> {
    let run = RunDir::open(&args.run)?;
    let map = match (args.source, args.label) {
        (Some(source), Some(target)) => TargetMap::SourceSpecific { source, target },
        (None, Some(target)) => TargetMap::AllToOne { target },
        (_, None) => TargetMap::AllToAll,
    };
    let seen = observations(&run)?;
    let Some((shape, (setting, finding))) = seen.as_ref().and_then(|seen| Some((seen.shape, seen.best(map)?))) else {
        return Err(Hinted::error(
            format!("{} has no trigger for {map}", args.run.display()),
            "run `aeva scan` with --lens all or --lens trigger into this folder first; labels count from 0",
        ));
    };
    let data = args.images.load(&args.data)?;
    anyhow::ensure!(
        data.image_shape() == shape,
        "the images of {} have shape {:?}, but the trigger is for {shape:?}",
        args.data.display(),
        data.image_shape()
    );
    let stamped = stamp(&finding.trigger, &data, shape);
    if args.out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) {
        write_npz(&args.out, &stamped, &data)?;
    } else {
        write_folder(&args.out, &stamped, &data)?;
    }
    tracing::info!("stamped {} images with the trigger of {setting}: {}", stamped.dim().0, args.out.display());
    Ok(ExitStatus::Success)
}

/// The passes of a run, from a scan of the effort that made the most of them.
fn observations(run: &RunDir) -> anyhow::Result<Option<TriggerObservations>> {
    let classes = run.info().provenance.model.classes;
    let passes = |seen: &Option<TriggerObservations>| seen.as_ref().map_or(0, |seen| seen.results.len());
    let mut most = None;
    for effort in [Effort::Standard, Effort::Screen, Effort::Exhaustive] {
        let rule = DecisionRule::of_effort(CombinedRule::DEFAULT, effort);
        let seen = TriggerObservations::of_store(run, classes, &rule)?;
        if passes(&seen) > passes(&most) {
            most = seen;
        }
    }
    Ok(most)
}

/// The stamped images, `[n, h, w, c]`, in 255ths.
fn stamp(trigger: &Trigger, data: &Dataset, shape: [usize; 3]) -> Array4<u8> {
    let values: usize = shape.iter().product();
    let mut out = vec![0.0; values];
    let mut stamped = Array4::zeros(data.images.dim());
    for (image, mut row) in data.images.axis_iter(Axis(0)).zip(stamped.axis_iter_mut(Axis(0))) {
        let image: Vec<f32> = image.iter().copied().collect();
        trigger.stamp(&image, shape, &mut out);
        for (pixel, value) in row.iter_mut().zip(&out) {
            *pixel = byte(*value);
        }
    }
    stamped
}

fn write_npz(path: &Path, stamped: &Array4<u8>, data: &Dataset) -> anyhow::Result<()> {
    let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    writer.add_array("x", stamped).context("cannot write .npz")?;
    let labels: Array1<i64> = data.labels.iter().map(|&label| i64::from(label)).collect();
    writer.add_array("y", &labels).context("cannot write .npz")?;
    write_atomically(path, &writer.finish().context("cannot write .npz")?.into_inner())?;
    Ok(())
}

/// Writes one sub-folder per true label, in the format of `aeva scan --data`.
fn write_folder(path: &Path, stamped: &Array4<u8>, data: &Dataset) -> anyhow::Result<()> {
    let digits = data.labels.iter().max().map_or(1, |label| label.to_string().len());
    for ((number, image), label) in (0..).zip(stamped.axis_iter(Axis(0))).zip(&data.labels) {
        let folder = path.join(format!("{label:0digits$}"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let pixels: Vec<u8> = image.iter().copied().collect();
        write_atomically(&folder.join(format!("{number:06}.png")), &png(&pixels, data.image_shape())?)?;
    }
    Ok(())
}
