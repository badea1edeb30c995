//! What a share does when its own work is done: it helps others with the passes that they are making.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aeva_attack::trigger::{PassId, TriggerSearch};

use super::run::Made;
use super::store::TriggerStore;
use crate::session::{Failure, Session};

/// It ends when no other share has been at work for so long.
const LINGER: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Helps with the passes of `chains` that are under way, until all are finished, nobody is at work, or the scan is stopped.
/// `before` has the passes that one may start from.
pub(super) fn help(
    search: &TriggerSearch,
    chains: &[Vec<PassId>],
    before: impl Fn(PassId) -> Vec<PassId>,
    session: &mut Session<'_, '_>,
    store: &mut dyn TriggerStore,
) -> Result<(), Failure> {
    let mut watched = Watched::default();
    let mut begin = Instant::now();
    // Bounded by the passes that are left, and by the time without any.
    while !session.observer.stop() && session.ledger.exhausted().is_none() {
        let open: Vec<(u64, PassId)> = chains.iter().filter_map(|chain| first_open(search, chain, store)).collect();
        if open.is_empty() {
            break;
        }
        let busy = open.into_iter().filter(|&(_, id)| watched.grows(id, store)).max_by_key(|&(left, _)| left);
        if let Some((_, id)) = busy {
            tracing::info!("helping with {id}");
            let made = Made::stored(&before(id), session, store)?;
            made.help(search, id, session, store)?;
            begin = Instant::now();
        } else if begin.elapsed() > LINGER {
            break;
        } else {
            sleep(PAUSE);
        }
    }
    Ok(())
}

/// What is left of a chain, in queries, and the pass that is next.
fn first_open(search: &TriggerSearch, chain: &[PassId], store: &dyn TriggerStore) -> Option<(u64, PassId)> {
    let left: Vec<PassId> = chain.iter().copied().skip_while(|&id| store.has_pass(id)).collect();
    let queries = left.iter().map(|&id| search.expected_queries(id)).sum();
    left.first().map(|&id| (queries, id))
}

/// How much was answered of each pass when it was last seen.
#[derive(Default)]
struct Watched(BTreeMap<PassId, u64>);

impl Watched {
    /// Whether somebody is at work on a pass: there is more of it than at the last look.
    fn grows(&mut self, id: PassId, store: &dyn TriggerStore) -> bool {
        let now = store.pass_progress(id);
        self.0.insert(id, now).is_some_and(|before| before < now)
    }
}
