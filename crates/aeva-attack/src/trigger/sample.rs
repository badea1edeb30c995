//! Random patterns over the whole image as they come: no search, one look.
//!
//! A backdoor taught by a faint pattern takes more than that pattern for it: much of what resembles it leads to its label too, while
//! what turns a clean model is rare among random patterns, or leads to many labels. So it is not the best pattern that tells, which a
//! search finds for natural weaknesses as well, but a *typical* one: for each label the pattern that a given share of all others is
//! worse than.

use aeva_artifact::{Aim, Family, Level, TriggerFinding};
use ndarray::ArrayView4;

use super::aim::takes;
use super::ask::Asker;
use super::climb::Climb;
use super::search::{TriggerSearch, sources};
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Random sines of a level, and how many of them are better than the one that counts: sines differ much from each other.
const WAVES: (u32, usize) = (100, 5);
/// The same of noise, which is much alike.
const NOISE: (u32, usize) = (40, 10);

impl TriggerSearch {
    /// Random patterns of a level, by the typical one of every label: one finding a label, in order, and the number of queries;
    /// nothing when the observer asked to stop.
    ///
    /// # Errors
    /// As [`level`](Self::level).
    pub(super) fn sample(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        level: Level,
        observer: &dyn ScanObserver,
    ) -> Result<Option<(Vec<TriggerFinding>, u64)>, ScanError> {
        let mut asker = Asker::new(oracles, &images, self.batch_rows, observer)?;
        let (count, better) = if level.family == Family::Noise { NOISE } else { WAVES };
        let explored = self.explore(level, count, &[], &mut asker)?;
        if asker.stopped() {
            return Ok(None);
        }
        let typical = (0..self.panel.classes()).filter_map(|label| {
            let aim = Aim::Label(label);
            let (_, at) = *self.ranking(&explored, aim).get(better)?;
            let (trigger, answers) = &explored[at];
            let about = self.panel.explore().iter().zip(answers).filter(|&(&(_, truth), _)| takes(aim, truth));
            let answers: Vec<Label> = about.map(|(_, &answer)| answer).collect();
            let starts = vec![(trigger.clone(), answers)];
            Climb::new(aim, &sources(self.panel.explore(), aim), starts, self.climb_choices(level, aim))
        });
        let typical = typical.map(|climb| (false, climb)).collect();
        Ok(Some((self.prove(typical, &mut asker)?, asker.queries())))
    }
}
