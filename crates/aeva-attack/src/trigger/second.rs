//! The second look at a level: what stood out is climbed again, longer, from more beginnings and down from what the next stronger
//! level found. How *little* a backdoor needs is what tells it; the first look, going up, may miss the least.

use aeva_artifact::{Aim, Level, Trigger, TriggerFinding};
use ndarray::ArrayView4;

use super::ask::Asker;
use super::climb::{self, Climb, Effort};
use super::mutate::weakened;
use super::natural::{Natural, Outcome};
use super::search::{Earlier, Found, TriggerSearch, on_all, sources};
use crate::{HardLabelOracle, Label, ScanError, ScanObserver};

/// Labels and pairs that beginnings are measured for, by what the first look at the level found and the second at the stronger.
const LABELS: usize = 6;
const PAIRS: usize = 12;
/// Of those, that are climbed towards.
const CLIMBED_LABELS: usize = 3;
const CLIMBED_PAIRS: usize = 6;

impl TriggerSearch {
    /// Looks again at a level that [`level`](Self::level) looked at, or at one that had no first look. All findings of the first look,
    /// those that were looked at again in the place of their old ones.
    ///
    /// # Errors
    /// As [`level`](Self::level).
    pub fn again(
        &self,
        oracles: &mut [Box<dyn HardLabelOracle + '_>],
        images: ArrayView4<'_, f32>,
        level: Level,
        earlier: Earlier<'_>,
        answers: &mut Vec<Label>,
        observer: &dyn ScanObserver,
    ) -> Result<Found, ScanError> {
        let Earlier { first, beside: stronger, squares } = earlier;
        let natural = Natural::new(squares);
        let mut asker = Asker::new(oracles, &images, self.batch_rows, answers, observer)?;
        let pieces: Vec<&[f32]> = self.panel.search().iter().map(|&(index, _)| asker.image(index)).collect();
        let mut climbs = Vec::new();
        for aim in aims(first, stronger, &natural) {
            let images = self.images(aim);
            let starts = starts(aim, level, first, stronger, asker.shape());
            let answers = asker.ask(&on_all(&starts, &images))?;
            climbs.extend(Climb::new(aim, &images, starts.into_iter().zip(answers).collect(), self.stream(level, aim)));
        }
        let (mut climbs, others) = leading(climbs, &natural);
        climb::run(&mut climbs, Effort::SECOND_LOOK, &pieces, &mut asker)?;
        let mut proved: Vec<(bool, Climb)> = climbs.into_iter().map(|climb| (true, climb)).collect();
        if first.is_empty() {
            let labels = others.into_iter().filter(|climb| matches!(climb.aim, Aim::Label(_)));
            proved.extend(labels.map(|climb| (false, climb)));
        }
        let again = self.prove(proved, &mut asker)?;
        let old = first.iter().filter(|old| again.iter().all(|new| new.aim != old.aim)).cloned();
        let mut findings: Vec<TriggerFinding> = old.chain(again.iter().cloned()).collect();
        findings.sort_by_key(|finding| finding.aim);
        Ok(Found { findings, confusion: Vec::new(), queries: asker.queries() })
    }

    /// The images of a second look: for a pair, which has few, also those that are neither searched with otherwise nor held out.
    fn images(&self, aim: Aim) -> Vec<(usize, Label)> {
        let mut images = sources(self.panel.search(), aim);
        if let Aim::Pair { .. } = aim {
            images.extend(sources(self.panel.spare(), aim));
        }
        images
    }

    /// Random choices apart from those of the first look.
    fn stream(&self, level: Level, aim: Aim) -> super::random::Choices {
        self.climb_choices(Level { strength: SECOND | level.strength, ..level }, aim)
    }
}

/// Levels of the first look have strengths far below.
const SECOND: u32 = 1 << 12;

/// Aims worth beginnings: labels that most images of the search turned to, here or at the next stronger level, and leading pairs.
fn aims(first: &[TriggerFinding], stronger: &[TriggerFinding], natural: &Natural) -> Vec<Aim> {
    let leaders = |findings: &[TriggerFinding], kind: fn(Aim) -> bool, count: usize| -> Vec<Aim> {
        let of_kind = findings.iter().filter(|finding| kind(finding.aim) && finding.search.0 > 0);
        natural.leaders(&of_kind.map(Outcome::from).collect::<Vec<Outcome>>(), count)
    };
    let is_label: fn(Aim) -> bool = |aim| matches!(aim, Aim::Label(_));
    let is_pair: fn(Aim) -> bool = |aim| matches!(aim, Aim::Pair { .. });
    let mut aims = leaders(first, is_label, LABELS);
    aims.extend(leaders(stronger, is_label, CLIMBED_LABELS));
    if first.is_empty() {
        aims.extend(stronger.iter().map(|finding| finding.aim).filter(|&aim| is_label(aim)));
    }
    aims.extend(leaders(first, is_pair, PAIRS));
    aims.extend(leaders(stronger, is_pair, CLIMBED_PAIRS));
    aims.push(Aim::Map);
    aims.sort_unstable();
    aims.dedup();
    aims
}

/// Where a climb may begin: what the first look found, and the stronger trigger made weaker.
fn starts(
    aim: Aim,
    level: Level,
    first: &[TriggerFinding],
    stronger: &[TriggerFinding],
    shape: [usize; 3],
) -> Vec<Trigger> {
    let of = |findings: &'_ [TriggerFinding]| findings.iter().position(|finding| finding.aim == aim);
    let mut starts: Vec<Trigger> = of(first).map(|at| first[at].trigger.clone()).into_iter().collect();
    if let Some(at) = of(stronger) {
        starts.extend(weakened(&stronger[at].trigger, level.side(shape), level.amplitude(), shape));
    }
    starts
}

/// The climbs that begin highest, some of each kind; and the others.
fn leading(climbs: Vec<Climb>, natural: &Natural) -> (Vec<Climb>, Vec<Climb>) {
    let leaders = |kind: fn(Aim) -> bool, count: usize| {
        let of_kind = climbs.iter().filter(|climb| kind(climb.aim));
        let outcome = |climb: &Climb| Outcome { aim: climb.aim, turned: climb.score(), asked: climb.truth.len() };
        natural.leaders(&of_kind.map(outcome).collect::<Vec<Outcome>>(), count)
    };
    let mut chosen = leaders(|aim| matches!(aim, Aim::Label(_)), CLIMBED_LABELS);
    chosen.extend(leaders(|aim| matches!(aim, Aim::Pair { .. }), CLIMBED_PAIRS));
    chosen.push(Aim::Map);
    climbs.into_iter().partition(|climb| chosen.contains(&climb.aim))
}
