//! Models and images of the published experiments. They are found in a folder or fetched into the cache, and recognised by their content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aeva_artifact::sha256_hex;
use anyhow::Context;
use xtask::process::{output, say};
use xtask::python::python;
use xtask::root;

use super::published::{COMMIT, Data, Published, REPOSITORY};

/// Depth to which a folder is searched.
const MAXIMUM_DEPTH: usize = 6;
/// Most files of a folder, so that a home folder that was given by mistake is refused early.
const MAXIMUM_FILES: usize = 20_000;
/// Bytes of an image with its label.
const CIFAR10_RECORD: usize = 3073;
/// A search uses the first images of each class, so a shortened file is accepted if it begins like the official one.
const CIFAR10_BEGINNING: usize = 1000 * CIFAR10_RECORD;
const CIFAR10_BEGINNING_SHA256: &str = "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5";

/// The path of a file, or why it is not available.
pub(super) type Available = Result<PathBuf, String>;

pub(super) enum Assets {
    /// All files below a folder.
    Folder { path: PathBuf, files: Vec<PathBuf> },
    /// Files are fetched into this folder.
    Cache(PathBuf),
}

impl Assets {
    /// The files below `folder`; files that can be fetched if no folder is given.
    ///
    /// # Errors
    /// When there is no such folder, or no cache folder.
    pub(super) fn open(folder: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            let cache = aeva_model::cache_folder().context("there is no cache folder: set AEVA_CACHE_DIR")?;
            return Ok(Self::Cache(cache.join("paper")));
        };
        anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        let mut files = Vec::new();
        walk(folder, MAXIMUM_DEPTH, &mut files)?;
        files.sort();
        Ok(Self::Folder { path: folder.to_owned(), files })
    }

    /// The file of a model.
    pub(super) fn model(&self, model: &Published) -> anyhow::Result<Available> {
        let name = model.path.rsplit('/').next().unwrap_or(model.path);
        match (self, model.sha256) {
            (Self::Folder { path, files }, Some(sha256)) => {
                for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "h5")) {
                    if sha256_hex(&read(file)?) == sha256 {
                        return Ok(Ok(file.clone()));
                    }
                }
                Ok(Err(format!("no .h5 file below {} has SHA-256 {sha256}", path.display())))
            }
            (Self::Folder { path, files }, None) => {
                let found = files.iter().find(|file| file.file_name().is_some_and(|found| found == name));
                if let Some(file) = found {
                    say(&format!("{} is recognised by its name alone", file.display()));
                }
                Ok(found.cloned().ok_or_else(|| format!("there is no {name} below {}", path.display())))
            }
            (Self::Cache(_), None) => Ok(Err("its checksum is not known, so it is not fetched".to_owned())),
            (Self::Cache(cache), Some(sha256)) => {
                let url = format!("https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/{}", model.path);
                fetch(&url, &cache.join(name), sha256)
            }
        }
    }

    /// The test images.
    pub(super) fn images(&self, data: Data) -> anyhow::Result<Available> {
        match self {
            Self::Folder { path, files } => {
                let named = |name: &str| -> Vec<PathBuf> {
                    files.iter().filter(|file| file.file_name().is_some_and(|found| found == name)).cloned().collect()
                };
                match data {
                    Data::Cifar10 => {
                        for file in named("test_batch.bin") {
                            let beginning = read(&file)?.get(..CIFAR10_BEGINNING).map(sha256_hex);
                            if beginning.as_deref() == Some(CIFAR10_BEGINNING_SHA256) {
                                return Ok(Ok(file));
                            }
                        }
                        Ok(Err(format!("no test_batch.bin of CIFAR-10 below {}", path.display())))
                    }
                    Data::Cifar100 => Ok(named("test.bin")
                        .into_iter()
                        .next()
                        .ok_or_else(|| format!("no test.bin of CIFAR-100 below {}", path.display()))),
                }
            }
            Self::Cache(cache) => {
                let (archive, folder, file, sha256) = match data {
                    Data::Cifar10 => (
                        "cifar-10-binary.tar.gz",
                        "cifar-10-batches-bin",
                        "test_batch.bin",
                        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    ),
                    Data::Cifar100 => (
                        "cifar-100-binary.tar.gz",
                        "cifar-100-binary",
                        "test.bin",
                        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                    ),
                };
                let images = cache.join(folder).join(file);
                if images.is_file() {
                    return Ok(Ok(images));
                }
                let url = format!("https://www.cs.toronto.edu/~kriz/{archive}");
                let archive = match fetch(&url, &cache.join(archive), sha256)? {
                    Ok(archive) => archive,
                    Err(why) => return Ok(Err(why)),
                };
                let unpack = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='data')";
                output(Command::new(python()?).args(["-c", unpack]).arg(archive).arg(cache))?;
                Ok(Ok(images))
            }
        }
    }
}

/// Fetches a file with this content, unless it exists already. A machine without network is a reason, not an error.
fn fetch(url: &str, file: &Path, sha256: &str) -> anyhow::Result<Available> {
    if file.is_file() && sha256_hex(&read(file)?) == sha256 {
        return Ok(Ok(file.to_owned()));
    }
    say(&format!("fetching {url}"));
    let script = root().join("xtask").join("python").join("fetch.py");
    match output(Command::new(python()?).arg(script).args([url, sha256]).arg(file)) {
        Ok(_) => Ok(Ok(file.to_owned())),
        Err(error) => Ok(Err(format!("{url} cannot be fetched: {}", last_line(&format!("{error:#}"))))),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(text).trim()
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, files)?;
            }
        } else {
            files.push(path);
        }
        anyhow::ensure!(files.len() <= MAXIMUM_FILES, "{} has more than {MAXIMUM_FILES} files", folder.display());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]
mod tests {
    use super::super::published::MODELS;
    use super::*;

    /// What is available of each model and its images in a folder with these files.
    fn available(files: &[(&str, &[u8])]) -> Vec<(bool, bool)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let assets = Assets::open(Some(folder.path())).unwrap();
        let here = |model| (assets.model(model).unwrap().is_ok(), assets.images(model.data).unwrap().is_ok());
        MODELS.iter().map(here).collect()
    }

    #[test]
    fn nothing_is_available_in_an_empty_folder() {
        assert!(available(&[]).iter().all(|&found| found == (false, false)));
        assert!(Assets::open(Some(Path::new("nowhere/at/all"))).is_err());
    }

    #[test]
    fn a_file_with_other_content_is_not_taken_for_a_pinned_one() {
        let found = available(&[
            ("models/cifar10_backdoor.h5", b"something else"),
            ("models/resnet_20.h5", b"not pinned: its name will do"),
            ("cifar10/test_batch.bin", b"too short"),
            ("cifar-100-binary/test.bin", b"not pinned"),
        ]);
        assert_eq!(found[0], (false, false), "the pinned model, the pinned beginning of the images");
        assert_eq!(found[1], (false, true), "CIFAR-100");
        assert_eq!(found[2], (true, false), "the dynamic ResNet-20");
    }
}
