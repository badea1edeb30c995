//! What a service was asked at the start of a scan is kept in the run folder until the scan has ended, so that a scan that goes
//! on does not ask it again.

use std::path::Path;

use aeva_artifact::{AnsweredSearch, PartialAnswers, RunDir, WorkProvenance};
use aeva_attack::{Meaning, OracleError};
use aeva_model::loader::KnownAnswers;
use aeva_model::{Dataset, LoadError, LoadedModel};
use aeva_scan::{End, Outcome};

use crate::args::ScanArgs;
use crate::commands::model;
use crate::output::plain;

/// Name of the start as a piece of work.
const WORK: &str = "start";
/// Version of what is asked.
const VERSION: u32 = 1;
/// There is one start.
const ONLY: [u32; 3] = [0; 3];

/// Loads the model, with what the folder of the scan has of it.
pub(super) fn load(args: &ScanArgs, data: &Dataset, threads: usize) -> anyhow::Result<LoadedModel> {
    let known = args.out.as_deref().and_then(known_of).unwrap_or_default();
    let again = || model::load(args.model(), &args.input, data, args.device, threads, KnownAnswers::default());
    if known.is_empty() {
        return again();
    }
    match model::load(args.model(), &args.input, data, args.device, threads, known) {
        // Another model is there: all of its answers are needed to say so.
        Err(error) if is_change(&error) => {
            tracing::warn!(
                "{} answers differently than before: all is asked again",
                plain(&args.model().to_string_lossy())
            );
            again()
        }
        loaded => loaded,
    }
}

fn is_change(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<LoadError>();
    matches!(error, Some(LoadError::Classify(OracleError(_, Meaning::Changed))))
}

/// The answers in a run folder. What is damaged is asked again.
fn known_of(folder: &Path) -> Option<KnownAnswers> {
    let stored = RunDir::open(folder).and_then(|run| run.load_partial(WORK)).ok()??;
    let search = stored.searches.into_iter().find(|search| search.id == ONLY)?;
    (stored.search_version == VERSION).then(|| KnownAnswers::from_numbers(&search.answers))
}

/// Keeps the answers.
pub(super) fn keep(run: &RunDir, model: &LoadedModel) -> anyhow::Result<()> {
    if model.known.is_empty() {
        return Ok(());
    }
    Ok(run.store_partial(&PartialAnswers {
        provenance: WorkProvenance::Run(run.info().provenance.clone()),
        search_version: VERSION,
        work: WORK.to_owned(),
        searches: vec![AnsweredSearch { id: ONLY, answers: model.known.to_numbers() }],
    })?)
}

/// Removes them if the scan has ended.
pub(super) fn forget(run: &RunDir, outcome: &Outcome) {
    if outcome.end == End::Complete {
        run.remove_partial(WORK);
    }
}
