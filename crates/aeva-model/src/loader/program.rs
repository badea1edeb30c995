//! Loads models behind a program: `program:COMMAND` starts it, and `-` is the program that started this one.

use std::path::Path;

use aeva_attack::HardLabelOracle;
use ndarray::Array4;

use super::error::LoadError;
use super::fingerprint::fingerprint;
use super::kind::Kind;
use super::known::KnownAnswers;
use super::loaded::{Identity, LoadedModel, PreprocessingSource, RawRuns};
use super::questions::Questions;
use super::request::{Request, Stated};
use crate::digest::sha256_hex;
use crate::program::ProgramOracle;
use crate::{Dataset, Device, OnnxOptions, ProgramError};

/// What the name of a program begins with.
const PREFIX: &str = "program:";
/// The name of the program that started this one.
const CALLER: &str = "-";
/// Most images of a batch.
const MOST_ROWS: usize = 256;
/// Most values of a batch, 16 MiB.
const MOST_VALUES: usize = 1 << 22;

/// The kind of model that is a program.
pub(super) struct Program;

impl RawRuns for ProgramOracle {
    fn run_sizes(&self) -> &[usize] {
        self.rows()
    }
}

impl Kind for Program {
    fn takes(&self, model: &Path) -> bool {
        model.to_str().is_some_and(|name| name == CALLER || name.starts_with(PREFIX))
    }

    fn load(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        load(request, data, true)
    }

    fn load_without_data(
        &self,
        request: &Request<'_>,
        _: &dyn Fn([usize; 3]) -> Array4<f32>,
    ) -> Result<(LoadedModel<dyn RawRuns>, Array4<f32>), LoadError> {
        Err(ProgramError::NoImages { name: request.model.display().to_string() }.into())
    }

    fn load_plain(&self, request: &Request<'_>, data: &Dataset) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
        load(request, data, false)
    }
}

fn load(request: &Request<'_>, data: &Dataset, checked: bool) -> Result<LoadedModel<dyn RawRuns>, LoadError> {
    if checked {
        refuse_options(request)?;
    }
    let mut oracles = [start(request, data.image_shape())?];
    let name = oracles[0].name().to_owned();
    let named = Request { model: Path::new(&name), ..*request };
    let mut questions = Questions::new(&named, &mut oracles, data)?;
    let (answers, queries_per_second) = questions.all()?;
    if checked {
        questions.check_chance(&answers)?;
        questions.check_repeats(&answers)?;
    }
    let fingerprint = fingerprint(&mut questions)?;
    let queries = questions.queries;
    let [oracle] = oracles;
    let spec = *oracle.spec();
    let [height, width, channels] = spec.shape();
    // What tells the model from others: there is no file to take the digest of.
    let identity =
        format!("program\n{}\n{}\n{}", oracle.version().unwrap_or_default(), fingerprint.sha256, answers.sha256());
    Ok(LoadedModel {
        sees_small_changes: true,
        reference: None,
        spec,
        answers: answers.sha256(),
        correct: answers.correct,
        queries,
        queries_per_second,
        known: KnownAnswers::default(),
        preprocessing: PreprocessingSource::Stated,
        notes: vec![
            "the model is known by its answers alone: a program gave them, which may answer for another model next time"
                .to_owned(),
        ],
        identity: Identity {
            sha256: sha256_hex(identity.as_bytes()),
            classes: spec.classes,
            preprocessing: format!("{height}x{width}x{channels} nhwc, pixels in [0, 1], labels"),
            provider: "program".to_owned(),
        },
        name,
        class_names: oracle.class_names().map(<[String]>::to_vec),
        batch_rows: oracle.rows()[0],
        device: Device::Cpu,
        oracles: vec![Box::new(oracle)],
    })
}

fn start(request: &Request<'_>, shape: [usize; 3]) -> Result<ProgramOracle, ProgramError> {
    let values = shape.iter().product::<usize>().max(1);
    let rows = (MOST_VALUES / values).clamp(1, MOST_ROWS);
    let timeout = request.stated.answer_timeout.unwrap_or(OnnxOptions::ANSWER_TIMEOUT);
    let model = request.model.to_string_lossy();
    match model.strip_prefix(PREFIX) {
        Some(command) => ProgramOracle::start(command, shape, rows, timeout),
        None => ProgramOracle::of_caller(shape, rows, timeout),
    }
}

/// Refuses what says how images go into a file: a program gets them as they are, and does the rest itself.
fn refuse_options(request: &Request<'_>) -> Result<(), ProgramError> {
    let Stated {
        manifest,
        layout,
        value_range,
        mean,
        std,
        reverse_channels,
        output,
        classes,
        threshold,
        service: _,
        answer_timeout: _,
    } = request.stated;
    let stated = [
        ("--device", request.device != Device::Cpu),
        ("--manifest", manifest.is_some()),
        ("--layout", layout.is_some()),
        ("--value-range", value_range.is_some()),
        ("--mean", mean.is_some()),
        ("--std", std.is_some()),
        ("--reverse-channels", *reverse_channels),
        ("--output", output.is_some()),
        ("--classes", classes.is_some()),
        ("--threshold", threshold.is_some()),
    ];
    match stated.into_iter().find(|(_, stated)| *stated) {
        None => Ok(()),
        Some((option, _)) => Err(ProgramError::Option { name: request.model.display().to_string(), option }),
    }
}
