//! The context of all parts: the program, the shipped models, a scratch folder, a seed.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::folder::{self, Finished};
use super::random::Random;
use super::run::Call;

pub(crate) const CLEAN: &str = "digits-clean.onnx";
pub(crate) const INFECTED: &str = "digits-infected.onnx";

/// Options of the shortest possible scan: one pair of labels.
pub(crate) const SHORTEST: [&str; 14] = [
    "--lens",
    "perturbation",
    "--sources",
    "0",
    "--targets",
    "1",
    "--samples",
    "1",
    "--iterations",
    "1",
    "--initial-evaluations",
    "4",
    "--threads",
    "1",
];

/// A scan of a shipped model with a known result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) options: &'static [&'static str],
}

impl Recipe {
    pub(crate) const INFECTED_TRIGGERS: Self = Self { name: "infected-triggers", model: INFECTED, options: &[] };
    pub(crate) const CLEAN_TRIGGERS: Self = Self { name: "clean-triggers", model: CLEAN, options: &[] };
    pub(crate) const INFECTED_PAIRS: Self =
        Self { name: "infected-pairs", model: INFECTED, options: &["--lens", "perturbation", "--iterations", "12"] };
    pub(crate) const CLEAN_PAIRS: Self =
        Self { name: "clean-pairs", model: CLEAN, options: &["--lens", "perturbation", "--iterations", "12"] };
    /// Triggers of several kinds in little time. The infected model shows its backdoor to the first kind, and gets no others.
    pub(crate) const CLEAN_SCREEN: Self = Self { name: "clean-screen", model: CLEAN, options: &["--effort", "screen"] };
    /// Pairs again, in a third of the time.
    pub(crate) const SHORT_PAIRS: Self = Self {
        name: "short-pairs",
        model: INFECTED,
        options: &["--lens", "perturbation", "--iterations", "2", "--samples", "1"],
    };
}

/// The context of a part.
pub(crate) struct Context {
    pub(crate) aeva: PathBuf,
    pub(crate) models: PathBuf,
    /// A folder that belongs to the part.
    pub(crate) scratch: PathBuf,
    pub(crate) seed: u64,
    pub(crate) effort: usize,
    /// Whether the program has `--answer-timeout`.
    pub(crate) answer_timeout: bool,
}

impl Context {
    pub(crate) fn model(&self, name: &str) -> PathBuf {
        self.models.join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.models.join("digits.npz")
    }

    pub(crate) fn random(&self, name: &str) -> Random {
        Random::new(self.seed, name)
    }

    /// Creates an empty folder in the scratch folder.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.join(name);
        folder::make_empty(&folder)?;
        Ok(folder)
    }

    /// A path in the scratch folder at which nothing exists.
    pub(crate) fn nothing(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.scratch.join(name);
        folder::remove(&path)?;
        Ok(path)
    }

    pub(crate) fn aeva<T: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = T>) -> Call {
        Call::new(&self.aeva).args(words)
    }

    /// A scan with `--quiet`.
    pub(crate) fn scan(&self, model: &Path, data: &Path, out: &Path) -> Call {
        self.talkative_scan(model, data, out).arg("-q")
    }

    pub(crate) fn talkative_scan(&self, model: &Path, data: &Path, out: &Path) -> Call {
        self.aeva(["scan"]).arg(model).arg("--data").arg(data).arg("--out").arg(out)
    }

    pub(crate) fn recipe(&self, recipe: Recipe, out: &Path) -> Call {
        self.scan(&self.model(recipe.model), &self.data(), out).args(recipe.options)
    }

    /// The undisturbed result of a recipe.
    pub(crate) fn reference(&self, recipe: Recipe) -> anyhow::Result<Finished> {
        let out = self.nothing(&format!("reference-{}", recipe.name))?;
        let ended = self.recipe(recipe, &out).run()?;
        anyhow::ensure!(
            ended.exited_in(&[0, 1, 3]),
            "the undisturbed scan {} ended with {}",
            recipe.name,
            ended.line()
        );
        Ok(Finished::new(&ended, &out))
    }

    pub(crate) fn reference_folder(&self, recipe: Recipe) -> PathBuf {
        self.scratch.join(format!("reference-{}", recipe.name))
    }

    /// Scans with recipes in turn, each of which `kill` kills some times and compares with its undisturbed result, until so many
    /// kills are made, at most so many scans.
    pub(crate) fn kill_scans(
        &self,
        findings: &mut Findings,
        recipes: &[Recipe],
        wanted: usize,
        most_scans: usize,
        mut kill: impl FnMut(&mut Findings, Recipe, &Finished) -> anyhow::Result<usize>,
    ) -> anyhow::Result<()> {
        let references: Vec<Finished> =
            recipes.iter().map(|&recipe| self.reference(recipe)).collect::<anyhow::Result<_>>()?;
        let mut kills = 0;
        // Scans that are too quick to be killed must not keep this loop running.
        for round in 0..most_scans {
            if kills >= wanted {
                break;
            }
            let place = round % recipes.len();
            kills += kill(findings, recipes[place], &references[place])?;
        }
        findings.check(kills >= wanted, || format!("only {kills} processes could be killed of {wanted}"));
        findings.add("kills", kills);
        Ok(())
    }
}
