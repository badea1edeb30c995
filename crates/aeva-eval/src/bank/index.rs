//! The list of a bank of models: `INDEX.tsv`, one row a model, columns by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The name of the list in the folder of the bank.
pub(super) const FILE: &str = "INDEX.tsv";

/// A model that somebody else made, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(super) name: String,
    pub(super) dataset: String,
    /// Who made it: models of one owner share their code and habits, so they are not independent.
    pub(super) owner: String,
    pub(super) truth: Truth,
    /// The model and its images.
    pub(crate) file: PathBuf,
    pub(crate) images: PathBuf,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Truth {
    /// No backdoor, as far as its makers say.
    Clean,
    /// A backdoor.
    Infected {
        /// Its target label; `None` if every label has one of its own.
        target: Option<usize>,
        /// What the trigger does.
        attack: String,
    },
}

/// The models of the bank in this folder, in the order of the list.
///
/// # Errors
/// When the list cannot be read, lacks a column, or says something that is not understood.
pub(crate) fn read(bank: &Path) -> anyhow::Result<Vec<Model>> {
    let path = bank.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    models(&text, bank).with_context(|| format!("cannot use {}", path.display()))
}

fn models(text: &str, bank: &Path) -> anyhow::Result<Vec<Model>> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let mut models = Vec::new();
    for (line, row) in (2..).zip(lines).filter(|(_, row)| !row.trim().is_empty()) {
        let row: BTreeMap<&str, &str> = columns.iter().copied().zip(row.split('\t').map(str::trim)).collect();
        models.push(model(&row, bank).with_context(|| format!("line {line}"))?);
    }
    if models.is_empty() {
        bail!("it has no models");
    }
    Ok(models)
}

fn model(row: &BTreeMap<&str, &str>, bank: &Path) -> anyhow::Result<Model> {
    let cell = |column: &str| row.get(column).copied().with_context(|| format!("the column `{column}` is missing"));
    let truth = match cell("kind")? {
        "clean" => Truth::Clean,
        // A repair that left the backdoor in place.
        "infected" | "mitigated" => {
            let target = match cell("target")? {
                all if all.starts_with("all-to-all") => None,
                label => Some(label.parse().with_context(|| format!("`{label}` is no label"))?),
            };
            Truth::Infected { target, attack: cell("attack")?.to_owned() }
        }
        other => bail!("unknown kind `{other}`: expected clean, infected or mitigated"),
    };
    let origin = cell("origin")?;
    let owner = origin.split('/').next().unwrap_or(origin).to_lowercase();
    let (file, images) = (bank.join(cell("file")?), bank.join(cell("images")?));
    Ok(Model { name: cell("name")?.to_owned(), dataset: cell("dataset")?.to_owned(), owner, truth, file, images })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    const COLUMNS: &str = "name\tdataset\tkind\ttarget\tattack\timages\tfile\torigin\n";

    fn of(rows: &str) -> anyhow::Result<Vec<Model>> {
        models(&format!("{COLUMNS}{rows}"), Path::new("bank"))
    }

    #[test]
    fn a_row_is_a_model() {
        let found = of("a\tmnist\tclean\t\t\t../m.npz\tmodels/a.onnx\tSomeone/repository@1:a.h5\n\
             b\tmnist\tmitigated\t3\tpatch\t../m.npz\tmodels/b.onnx\tother/x\n\n\
             c\tmnist\tinfected\tall-to-all y+1\tpatch\t../m.npz\tmodels/c.onnx\tother/x\n")
        .unwrap();
        assert_eq!((found.len(), found[0].owner.as_str(), &found[0].truth), (3, "someone", &Truth::Clean));
        assert_eq!(found[0].file, Path::new("bank/models/a.onnx"));
        let infected = |target| Truth::Infected { target, attack: "patch".to_owned() };
        assert_eq!((&found[1].truth, &found[2].truth), (&infected(Some(3)), &infected(None)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |rows: &str| format!("{:#}", of(rows).unwrap_err());
        assert_eq!(error(""), "it has no models");
        assert_eq!(
            error("a\tmnist\todd\t\t\ti\tf\to\n"),
            "line 2: unknown kind `odd`: expected clean, infected or mitigated"
        );
        assert!(error("a\tmnist\tinfected\tx\tpatch\ti\tf\to\n").starts_with("line 2: `x` is no label"));
        let lacking = models("name\tdataset\nx\ty\n", Path::new("bank")).unwrap_err();
        assert_eq!(format!("{lacking:#}"), "line 2: the column `kind` is missing");
    }
}
