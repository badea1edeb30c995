//! The list of models.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aeva_artifact::read_regular;

use crate::hint::Hinted;

/// A model of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Name of its run folder, unlike all others.
    pub(super) name: String,
    /// The model, as in the list.
    pub(super) model: String,
}

/// Longest list.
const MAX_BYTES: u64 = 1 << 24;
/// Longest name of a folder.
const MAX_NAME: usize = 64;

/// Reads a list.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Member>> {
    let bytes = read_regular(path, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Hinted::error(format!("{} is not text in UTF-8", path.display()), "name a model a line, in a plain text file")
    })?;
    let members = members(&text);
    if members.is_empty() {
        return Err(Hinted::error(format!("{} names no model", path.display()), "name a model a line"));
    }
    Ok(members)
}

fn members(text: &str) -> Vec<Member> {
    // The tables have this name.
    let mut taken = BTreeSet::from(["fleet".to_owned()]);
    let models = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    models
        .map(|model| {
            let base = base(model);
            // Ends, as there are fewer models than numbers.
            let mut names = std::iter::once(base.clone()).chain((2..).map(|number: u64| format!("{base}-{number}")));
            let name = names.find(|name| !taken.contains(&name.to_lowercase())).unwrap_or(base);
            taken.insert(name.to_lowercase());
            Member { name, model: model.to_owned() }
        })
        .collect()
}

/// What the folder of a model may be called.
fn base(model: &str) -> String {
    let last = PathBuf::from(model.trim_end_matches('/'));
    let stem = last.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |character: char| {
        if character.is_alphanumeric() || "-_.".contains(character) { character } else { '-' }
    };
    let name: String = stem.chars().map(plain).take(MAX_NAME).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "model".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_folder_of_its_own() {
        let text =
            "# a fleet\n a/one.onnx\nb/one.onnx\r\n\nhttp://h:8080/v2/models/digits/\nfleet.onnx\nB/One.onnx\n..\n";
        let members = members(text);
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["one", "one-2", "digits", "fleet-2", "One-3", "model"]);
        assert_eq!(members[1].model, "b/one.onnx");
    }
}
