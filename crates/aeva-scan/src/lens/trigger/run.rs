//! The trigger lens: one pass after another, each stored as soon as it is finished.

use std::sync::Mutex;

use aeva_attack::trigger::{PassId, PassResult, TRIGGER_SEARCH_VERSION, TriggerSearch, WarmStart};
use aeva_attack::{Label, Peers, ScanError, UNANSWERED};

use super::plan::{Observation, TriggerPlan};
use super::store::TriggerStore;
use super::together::Together;
use crate::ledger::{Counted, end_journal};
use crate::rule::DecisionRule;
use crate::session::{End, Ended, Failure, Session, usable};

/// Runs the passes that the rule requires and the store does not have; returns the results of all passes, in order.
pub(super) fn run(
    search: &TriggerSearch,
    rule: &DecisionRule,
    session: &mut Session<'_, '_>,
    store: &mut dyn TriggerStore,
) -> Result<Results, Failure> {
    let (_, height, width, channels) = session.images.dim();
    let shape = [height, width, channels];
    let classes = search.split().classes();
    let (of_triggers, effort) = rule.of_triggers();
    let plan = TriggerPlan::new(shape, of_triggers, effort);
    let mut observations = Vec::<Observation>::new();
    let mut passes = Made::default();
    while let Some(id) = plan.next(&observations) {
        let Some(result) = passes.make(search, id, session, store)? else {
            return Ok(passes.end(End::Stopped, session));
        };
        let observation = Observation::new(id, result, shape, classes);
        for (label, goal) in observation.tally.labels.iter().enumerate().filter(|(_, goal)| goal.pooled().trials() > 0)
        {
            session.observer.reached(label, goal.pooled());
        }
        observations.push(observation);
    }
    Ok(passes.end(End::Complete, session))
}

/// Runs these passes, as far as the store does not have them; returns their results.
pub(super) fn share(
    search: &TriggerSearch,
    share: &[PassId],
    session: &mut Session<'_, '_>,
    store: &mut dyn TriggerStore,
) -> Result<Results, Failure> {
    let mut passes = Made::default();
    for &id in share {
        if passes.make(search, id, session, store)?.is_none() {
            return Ok(passes.end(End::Stopped, session));
        }
    }
    Ok(passes.end(End::Complete, session))
}

/// How the lens ended, and the results of all passes, in order.
type Results = (Ended, Vec<(PassId, PassResult)>);

/// The passes so far.
#[derive(Default)]
pub(super) struct Made {
    results: Vec<(PassId, PassResult)>,
    /// How many of them were in the store.
    kept: usize,
    searched: bool,
}

impl Made {
    /// The result of a pass, which runs unless the store has it; `None` if it is stopped.
    fn make(
        &mut self,
        search: &TriggerSearch,
        id: PassId,
        session: &mut Session<'_, '_>,
        store: &mut dyn TriggerStore,
    ) -> Result<Option<&PassResult>, Failure> {
        let (_, height, width, channels) = session.images.dim();
        let shape = [height, width, channels];
        let result = if let Some(result) = stored(store, id, shape)? {
            self.kept += 1;
            store.drop_answers(id);
            session.ledger.count(result.queries);
            session.observer.known(result.queries);
            result
        } else {
            self.searched = true;
            session.observer.begins(&id.to_string());
            let Some(result) = pass(search, id, shape, &self.results, session, store)? else { return Ok(None) };
            result
        };
        self.results.push((id, result));
        Ok(self.results.last().map(|(_, result)| result))
    }

    /// Those of `passes` that are stored.
    pub(super) fn stored(
        passes: &[PassId],
        session: &Session<'_, '_>,
        store: &dyn TriggerStore,
    ) -> Result<Self, Failure> {
        let (_, height, width, channels) = session.images.dim();
        let mut made = Self::default();
        for &id in passes {
            let result = stored(store, id, [height, width, channels])?;
            made.results.extend(result.map(|result| (id, result)));
        }
        Ok(made)
    }

    /// Makes a pass that another process is making.
    pub(super) fn help(
        mut self,
        search: &TriggerSearch,
        id: PassId,
        session: &mut Session<'_, '_>,
        store: &mut dyn TriggerStore,
    ) -> Result<(), Failure> {
        self.make(search, id, session, store).map(|_| ())
    }

    fn end(self, end: End, session: &Session<'_, '_>) -> Results {
        if self.kept > 0 && end == End::Complete {
            let noun = if self.kept == 1 { "pass over triggers was" } else { "passes over triggers were" };
            tracing::info!("{} {noun} already {}", self.kept, session.place);
        }
        (Ended { end, searched: self.searched }, self.results)
    }
}

/// Runs one pass, resuming from stored answers; `None` if it is stopped again.
fn pass(
    search: &TriggerSearch,
    id: PassId,
    shape: [usize; 3],
    made: &[(PassId, PassResult)],
    session: &mut Session<'_, '_>,
    store: &mut dyn TriggerStore,
) -> Result<Option<PassResult>, Failure> {
    let mut answers = usable(store.pass_answers(id), Vec::new(), "its queries are repeated")?;
    let before = known(&answers);
    if before > 0 {
        tracing::info!("continuing {id} after {before} answers");
        session.ledger.count(before);
        session.observer.known(before);
    }
    let find = |wanted: PassId| made.iter().find(|(id, _)| *id == wanted).map(|(_, result)| result);
    let warm = WarmStart::of(id, shape, find);
    let journal = store.pass_journal(id)?;
    let teamwork = journal.as_ref().and_then(|journal| Some((journal, store.pass_teamwork(id, journal)?)));
    let (observer, ledger, classes) = (session.observer, session.ledger, search.split().classes());
    let together =
        teamwork.map(|(journal, work)| Together { work, journal, ledger, observer, classes, clock: Mutex::default() });
    let peers = together.as_ref().map(|together| -> &dyn Peers { together });
    let counted = Counted { observer, ledger, journal: journal.as_ref(), peers };
    let found = search.run(id, session.oracles, session.images, &warm, &mut answers, &counted);
    drop(together);
    match found {
        // Storing the result ends all journals of the pass.
        Ok(result) => {
            store.store_pass(id, shape, &result)?;
            Ok(Some(result))
        }
        Err(ScanError::FinishedElsewhere) => {
            end_journal(journal)?;
            store.drop_answers(id);
            // It is there, unless something else removed it again.
            let result = stored(store, id, shape)?;
            result.map_or_else(|| Err(ScanError::FinishedElsewhere.into()), |result| Ok(Some(result)))
        }
        Err(error) => {
            if known(&answers) > before {
                store.store_pass_answers(id, answers)?;
            }
            end_journal(journal)?;
            if matches!(error, ScanError::Stopped) { Ok(None) } else { Err(error.into()) }
        }
    }
}

/// The number of queries that have an answer.
fn known(answers: &[Label]) -> u64 {
    answers.iter().filter(|&&answer| answer != UNANSWERED).count() as u64
}

/// A stored pass, if it is usable. A damaged pass, or one of another version of the search or of other images, is
/// searched again.
fn stored(store: &dyn TriggerStore, id: PassId, shape: [usize; 3]) -> Result<Option<PassResult>, Failure> {
    let stored = usable(store.pass(id), None, "it is computed again")?;
    let fits = stored.filter(|stored| stored.version == TRIGGER_SEARCH_VERSION && stored.shape == shape);
    Ok(fits.map(|stored| stored.result))
}
