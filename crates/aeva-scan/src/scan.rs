//! The looks, one after the other.

use aeva_artifact::{Family, Level, Look, Provenance, TriggerArtifact, TriggerFinding};
use aeva_attack::trigger::{Earlier, Found, TRIGGER_SEARCH_VERSION, TriggerSearch};
use aeva_attack::{HardLabelOracle, Label, ScanError, ScanObserver};
use ndarray::ArrayView4;

use crate::{Seen, Step, TriggerPlan, success};

/// A scan for triggers under way.
#[derive(Debug)]
pub struct TriggerScan {
    search: TriggerSearch,
    plan: TriggerPlan,
    provenance: Provenance,
    done: Vec<TriggerArtifact>,
    seen: Vec<Seen>,
}

impl TriggerScan {
    /// A scan that has not looked yet.
    pub fn new(search: TriggerSearch, plan: TriggerPlan, provenance: Provenance) -> Self {
        Self { search, plan, provenance, done: Vec::new(), seen: Vec::new() }
    }

    /// The look to take next, see [`TriggerPlan::next`].
    pub fn next(&self) -> Option<Step> {
        self.plan.next(&self.seen)
    }

    /// What was seen, in order.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Goes on with what an earlier run found at the next look. Whether it is of use: not when it comes from another version of the
    /// search, or belongs to another look.
    pub fn accept(&mut self, artifact: TriggerArtifact) -> bool {
        let step = Step { level: artifact.level, look: artifact.look };
        if artifact.trigger_search_version != TRIGGER_SEARCH_VERSION || self.next() != Some(step) {
            return false;
        }
        self.seen.push(Seen { step, success: success(&artifact), queries: artifact.queries });
        self.done.push(artifact);
        true
    }

    /// Takes a look at `images` `[n, h, w, c]`; its findings, to be kept and then [`accept`](Self::accept)ed.
    ///
    /// `answers` has what an earlier attempt at this look was answered, and gets all answers that there are.
    ///
    /// # Errors
    /// [`ScanError::Stopped`] when the observer asked to stop; others when the model fails or does not fit the images.
    pub fn look(
        &self,
        step: Step,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        answers: &mut Vec<Label>,
        observer: &dyn ScanObserver,
    ) -> Result<TriggerArtifact, ScanError> {
        let (_, height, width, channels) = images.dim();
        let shape = [height, width, channels];
        let Step { level, look } = step;
        let levels = Level::finest(shape).into_iter().chain(Level::all(shape));
        let levels: Vec<Level> = levels.filter(|other| other.family == level.family).collect();
        let place = levels.iter().position(|&other| other == level).unwrap_or_default();
        let beside =
            |place: Option<usize>| place.and_then(|place| levels.get(place)).map(|&level| Step { level, look });
        let squares = self.done.iter().find(|one| one.level.family == Family::Square);
        let squares = squares.map_or(&[][..], |artifact| &artifact.confusion);
        let found = match look {
            Look::First => {
                let earlier =
                    Earlier { beside: self.findings(beside(place.checked_sub(1))), squares, ..Earlier::default() };
                self.search.level(oracles, images, level, earlier, answers, observer)?
            }
            Look::Second => {
                let first = self.findings(Some(Step { level, look: Look::First }));
                let stronger = self.findings(beside(Some(place + 1)));
                let earlier = Earlier { first, beside: stronger, squares };
                self.search.again(oracles, images, level, earlier, answers, observer)?
            }
        };
        let Found { findings, confusion, queries } = found;
        Ok(TriggerArtifact {
            provenance: self.provenance.clone(),
            trigger_search_version: TRIGGER_SEARCH_VERSION,
            level,
            look,
            shape,
            queries,
            findings,
            confusion,
        })
    }

    /// What an earlier look found; nothing for a look that does not exist or was not taken.
    fn findings(&self, step: Option<Step>) -> &[TriggerFinding] {
        let artifact = self.done.iter().find(|one| Some(Step { level: one.level, look: one.look }) == step);
        artifact.map_or(&[], |artifact| &artifact.findings)
    }
}
