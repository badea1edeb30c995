//! `aeva export PATH --out FILE`: writes perturbations for NumPy.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use aeva_artifact::{PairArtifact, RunDir, write_atomically};
use anyhow::Context;
use ndarray::Array4;
use ndarray_npy::{NpzWriter, WriteNpyExt};

use crate::args::ExportArgs;
use crate::commands::inspect::read_artifact;
use crate::exit::ExitStatus;
use crate::hint::Hinted;

pub(crate) fn run(args: &ExportArgs) -> anyhow::Result<ExitStatus> {
    let extension = args.out.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let bytes = match (args.path.is_dir(), extension.as_deref()) {
        (false, Some("npy")) => npy(&read_artifact(&args.path)?)?,
        (false, Some("npz")) => npz(&[read_artifact(&args.path)?])?,
        (true, Some("npz")) => npz(&pairs_of(&args.path)?)?,
        (true, Some("npy")) => {
            return Err(Hinted::error(
                "a run has one array for each pair, but a .npy file holds only one",
                "use a name that ends in .npz",
            ));
        }
        _ => return Err(Hinted::error(format!("{} has an unknown extension", args.out.display()), "use .npy or .npz")),
    };
    write_atomically(&args.out, &bytes)?;
    tracing::info!("wrote {} ({} bytes)", args.out.display(), bytes.len());
    Ok(ExitStatus::Success)
}

fn pairs_of(path: &Path) -> anyhow::Result<Vec<PairArtifact>> {
    let run = RunDir::open(path)?;
    let mut pairs = Vec::new();
    for (source, target) in run.stored_pairs()? {
        pairs.extend(run.load(source, target)?);
    }
    anyhow::ensure!(!pairs.is_empty(), "{} has no finished pairs", fs::canonicalize(path)?.display());
    Ok(pairs)
}

/// Finished perturbations `[samples, h, w, c]`.
fn array(pair: &PairArtifact) -> anyhow::Result<Array4<f32>> {
    let values: Vec<f32> = pair.result.finished().flatten().copied().collect();
    let [height, width, channels] = pair.result.shape;
    Ok(Array4::from_shape_vec((pair.result.finished().count(), height, width, channels), values)?)
}

fn npy(pair: &PairArtifact) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    array(pair)?.write_npy(&mut bytes).context("cannot write .npy")?;
    Ok(bytes)
}

/// One array `pair_SOURCE_TARGET` for each pair.
fn npz(pairs: &[PairArtifact]) -> anyhow::Result<Vec<u8>> {
    let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    for pair in pairs {
        let name = format!("pair_{}_{}", pair.result.source, pair.result.target);
        writer.add_array(name, &array(pair)?).context("cannot write .npz")?;
    }
    Ok(writer.finish().context("cannot write .npz")?.into_inner())
}
