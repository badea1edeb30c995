//! The perturbation lens: walks along the decision boundary for every pair of labels.

use std::collections::BTreeSet;

use aeva_attack::perturbation::{Answers, PairResult, PerturbationPlan, PerturbationSettings, ScanEnd, search};
use aeva_attack::{Label, ScanError};

use super::store::PerturbationStore;
use crate::ledger::{Counted, end_journal};
use crate::session::{End, Ended, Failure, Session, usable};

/// Searches the pairs of the plan that are not in the store.
pub(super) fn run(
    plan: &PerturbationPlan,
    settings: &PerturbationSettings,
    session: &mut Session<'_, '_>,
    store: &mut dyn PerturbationStore,
) -> Result<Ended, Failure> {
    let rest = unfinished(plan, session, store)?;
    let done = plan.pairs.len() - rest.pairs.len();
    if done > 0 {
        tracing::info!("{done} of {} pairs are already {}", plan.pairs.len(), session.place);
    }
    if rest.pairs.is_empty() {
        drop_answers(store)?;
        return Ok(Ended { end: End::Complete, searched: false });
    }
    let mut answers = usable(store.pair_answers(), Answers::new(), "its queries are repeated")?;
    // Another run of the same scan may have finished some of them.
    let stored: BTreeSet<(Label, Label)> = store.pairs()?.into_iter().collect();
    answers.retain(|job, _| !stored.contains(&(job.source, job.target)));
    let known: u64 = answers.values().map(|answers| answers.len() as u64).sum();
    if known > 0 {
        tracing::info!("continuing {} searches after {known} answers", answers.len());
        session.ledger.count(known);
        session.observer.known(known);
    }
    session.observer.begins("perturbations");
    let journal = store.pair_journal()?;
    let counted =
        Counted { observer: session.observer, ledger: session.ledger, journal: journal.as_ref(), peers: None };
    let mut keep = |result: PairResult| store.store_pair(result).map_err(Into::into);
    let end = search(session.oracles, session.images, &rest, settings, &mut answers, &counted, &mut keep);
    // Stored even without an answer: the verdict must wait for searches that have begun.
    let unfinished = !matches!(end, Ok(ScanEnd::Complete)) || answers.values().any(|answers| !answers.is_empty());
    store.store_pair_answers(unfinished.then_some(answers))?;
    end_journal(journal)?;
    let end = match end {
        Ok(ScanEnd::Complete) => End::Complete,
        Ok(ScanEnd::Stopped) | Err(ScanError::Stopped) => End::Stopped,
        Err(error) => return Err(error.into()),
    };
    Ok(Ended { end, searched: true })
}

/// Drops answers that nobody needs any more: a kill may have come between the last result and their end.
fn drop_answers(store: &mut dyn PerturbationStore) -> Result<(), Failure> {
    if !store.has_begun_pairs() {
        return Ok(());
    }
    let stored: BTreeSet<(Label, Label)> = store.pairs()?.into_iter().collect();
    let answers = usable(store.pair_answers(), Answers::new(), "they are dropped")?;
    if answers.keys().all(|job| stored.contains(&(job.source, job.target))) {
        store.store_pair_answers(None)?;
    }
    Ok(())
}

/// The part of the plan that is not in the store. Damaged pairs are searched again.
fn unfinished(
    plan: &PerturbationPlan,
    session: &Session<'_, '_>,
    store: &dyn PerturbationStore,
) -> Result<PerturbationPlan, Failure> {
    let mut pairs = Vec::new();
    for pair in &plan.pairs {
        match usable(store.pair(pair.source, pair.target), None, "it is computed again")? {
            Some(stored) => {
                let queries = stored.queries().total();
                session.ledger.count(queries);
                session.observer.known(queries);
            }
            None => pairs.push(pair.clone()),
        }
    }
    Ok(PerturbationPlan { pairs })
}
