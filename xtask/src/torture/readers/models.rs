//! The shipped model with changed bytes, structure and fields.

use std::fs;
use std::path::Path;

use super::{Case, Shared, Step};
use crate::torture::onnx::mutated;

/// A scan with these bytes as the model.
pub(crate) fn scan(shared: &Shared, folder: &Path, bytes: &[u8]) -> anyhow::Result<Vec<Step>> {
    let path = folder.join("m.onnx");
    fs::write(&path, bytes)?;
    Ok(vec![Step::any(shared.scan(&path, &shared.context.data(), folder))])
}

pub(crate) fn cases<'shared>(shared: &'shared Shared) -> Vec<Case<'shared>> {
    let raw = &shared.model;
    let mut cases = Vec::new();
    for index in 0..60 * shared.times {
        cases.push(Case::new(format!("bytes {index}"), move |folder, random| {
            let count = *random.pick(&[1, 2, 5, 30]);
            scan(shared, folder, &random.changed(raw, count, raw.len()))
        }));
        cases.push(Case::new(format!("structure {index}"), move |folder, random| {
            // Weights are in the middle of the file, nodes and names around them.
            let mut changed = raw.clone();
            for _ in 0..*random.pick(&[1, 1, 2, 4]) {
                let at = if random.chance(0.5) { random.below(3000) } else { raw.len() - 1 - random.below(1500) };
                let bit = 1 << random.below(8);
                let values = [changed[at] ^ bit, 0, 255, random.byte()];
                changed[at] = *random.pick(&values);
            }
            scan(shared, folder, &changed)
        }));
    }
    for index in 0..20 * shared.times {
        cases.push(Case::new(format!("cut {index}"), move |folder, random| scan(shared, folder, &random.cut(raw))));
    }
    for index in 0..150 * shared.times {
        cases.push(Case::new(format!("fields {index}"), move |folder, random| {
            let depth = *random.pick(&[1, 2, 3, 4, 5]);
            let changed = mutated(raw, depth, random).unwrap_or_else(|| random.cut(raw));
            scan(shared, folder, &changed)
        }));
    }
    cases
}
