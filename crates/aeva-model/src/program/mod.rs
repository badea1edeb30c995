//! A program that answers for a model: any language, any framework, any service, labels only.

mod connection;
mod protocol;

use std::io;
use std::time::Duration;

use aeva_attack::{HardLabelOracle, InputSpec, Label, OracleError};
use ndarray::ArrayView4;

use self::connection::{Connection, NoAnswer};
use self::protocol::{Hello, Introduction, Wrong};
use crate::{MOST_CLASSES, ProgramError};

/// Time that a program has to load its model.
const LOADING: Duration = Duration::from_mins(5);

/// A program, and what it says about its model.
pub(crate) struct ProgramOracle {
    connection: Connection,
    name: String,
    version: Option<String>,
    class_names: Option<Vec<String>>,
    spec: InputSpec,
    /// Images of a batch.
    rows: [usize; 1],
    answer_timeout: Duration,
}

impl ProgramOracle {
    /// Starts a program for images of shape `[h, w, c]`. It reads its standard input and writes to its standard output. Each image of
    /// a batch, which has `rows` images at most, may take `answer_timeout`.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub(crate) fn start(
        command: &str,
        shape: [usize; 3],
        rows: usize,
        answer_timeout: Duration,
    ) -> Result<Self, ProgramError> {
        Self::greet(Connection::start(command)?, command, shape, rows, answer_timeout)
    }

    /// The program that started this one answers: over the standard streams of this process.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub(crate) fn of_caller(shape: [usize; 3], rows: usize, answer_timeout: Duration) -> Result<Self, ProgramError> {
        let name = "the program that asked for the scan";
        let connection = Connection::over(io::stdout(), io::stdin())
            .map_err(|source| ProgramError::Start { command: name.to_owned(), source })?;
        Self::greet(connection, name, shape, rows, answer_timeout)
    }

    fn greet(
        mut connection: Connection,
        name: &str,
        shape: [usize; 3],
        rows: usize,
        answer_timeout: Duration,
    ) -> Result<Self, ProgramError> {
        let [height, width, channels] = shape;
        let hello = protocol::line(&Hello { aeva: protocol::VERSION, height, width, channels });
        let answer = ask(&mut connection, name, hello, LOADING, || "the first message".to_owned())?;
        let Introduction { classes, name: stated, version, class_names } =
            protocol::introduction(&answer).map_err(|wrong| refused(name, wrong))?;
        let name = stated.filter(|stated| !stated.trim().is_empty()).unwrap_or_else(|| name.to_owned());
        if !(2..=MOST_CLASSES).contains(&classes) {
            let (found, expected) = (format!("{classes} classes"), format!("2 to {MOST_CLASSES}"));
            return Err(ProgramError::Answer { name, found, expected });
        }
        if let Some(names) = class_names.as_ref().filter(|names| names.len() != classes as usize) {
            let (found, expected) = (format!("{} names of classes", names.len()), format!("{classes}"));
            return Err(ProgramError::Answer { name, found, expected });
        }
        let spec = InputSpec { height, width, channels, classes };
        Ok(Self { connection, name, version, class_names, spec, rows: [rows], answer_timeout })
    }

    /// What to call the model.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the program says to tell its model from others.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The names of the labels, if the program says them.
    pub(crate) fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// Number of images of a full batch.
    pub(crate) fn rows(&self) -> &[usize; 1] {
        &self.rows
    }

    fn labels(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), ProgramError> {
        labels.clear();
        let images = batch.dim().0;
        if images == 0 {
            return Ok(());
        }
        let pixels = batch.as_standard_layout();
        let message = protocol::batch(images, pixels.as_slice().unwrap_or_default());
        let limit = self.answer_timeout.saturating_mul(u32::try_from(images).unwrap_or(u32::MAX));
        let (connection, name) = (&mut self.connection, self.name.as_str());
        let answer = ask(connection, name, message, limit, || format!("a batch of {images} images"))?;
        protocol::labels(&answer, images, self.spec.classes, labels).map_err(|wrong| refused(name, wrong))
    }
}

impl HardLabelOracle for ProgramOracle {
    fn spec(&self) -> &InputSpec {
        &self.spec
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        self.labels(batch, labels).map_err(OracleError::new)
    }
}

fn ask(
    connection: &mut Connection,
    name: &str,
    message: Vec<u8>,
    limit: Duration,
    what: impl FnOnce() -> String,
) -> Result<String, ProgramError> {
    connection.ask(message, limit).map_err(|no_answer| match no_answer {
        NoAnswer::Silent => ProgramError::Silent { name: name.to_owned(), seconds: limit.as_secs(), what: what() },
        NoAnswer::Unasked(line) => refused(name, protocol::unasked(&line)),
        NoAnswer::Closed => ProgramError::Ended { name: name.to_owned(), status: connection.status() },
    })
}

fn refused(name: &str, wrong: Wrong) -> ProgramError {
    let name = name.to_owned();
    match wrong {
        Wrong::Failed(why) => ProgramError::Failed { name, why },
        Wrong::Answer(found, expected) => ProgramError::Answer { name, found, expected },
    }
}
