//! The names of labels: given by the user, known from an earlier command on the run folder, or from the data
//! or the model's manifest.

use std::path::Path;

use aeva_artifact::{MAX_ARTIFACT_BYTES, RunDir, read_regular, write_atomically};
use aeva_report::ClassNames;

use crate::hint::Hinted;

const FILE: &str = "class-names.txt";

/// The names of the labels. Names that the user gives, or else those that are `known`, are kept in the run folder.
pub(crate) fn class_names(
    run: &RunDir,
    given: Option<&Path>,
    known: Option<&Vec<String>>,
) -> anyhow::Result<ClassNames> {
    let kept = run.path().join(FILE);
    let names = match (given, known) {
        (Some(path), _) => Some(read(path, run.info().provenance.model.classes as usize)?),
        (None, Some(names)) if !kept.exists() => Some(ClassNames::new(names.clone())),
        (None, _) => None,
    };
    if let Some(names) = names {
        write_atomically(&kept, names.to_lines().as_bytes())?;
        return Ok(names);
    }
    // They are for people alone: without them, labels are numbers.
    let text = read_regular(&kept, MAX_ARTIFACT_BYTES).ok().and_then(|text| String::from_utf8(text).ok());
    Ok(text.map_or_else(ClassNames::default, |text| ClassNames::from_lines(&text)))
}

fn read(path: &Path, classes: usize) -> anyhow::Result<ClassNames> {
    let hint = "write one name a line, in the order of the labels";
    let wrong = |why: String| Hinted::error(format!("{} has no class names: {why}", path.display()), hint);
    let text = read_regular(path, MAX_ARTIFACT_BYTES).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| wrong("it is no UTF-8 text".to_owned()))?;
    let names = ClassNames::from_lines(&text);
    if names.len() == classes {
        Ok(names)
    } else {
        Err(wrong(format!("it has {} lines, and the model has {classes} labels", names.len())))
    }
}
