//! The trigger lens in a report.

use std::collections::BTreeMap;

use aeva_attack::trigger::{Pass, PassId, Setting, Trigger, TriggerFinding};
use aeva_stats::{Family, GoalTally, PairTally, Tally, TargetMap, TriggerTest, binomial_interval};
use serde::Serialize;

use super::observations::TriggerObservations;
use super::plan::Observation;

/// The chance that an interval in a report misses the true rate.
const MISS: f64 = 0.05;
/// Smallest success of a trigger that a pair of labels is listed for.
const SHOWN_RATE: f64 = 0.1;

/// The trigger lens.
#[derive(Debug, Clone, Serialize)]
pub struct TriggerReport {
    /// Their test; its passes are those of `passes`.
    #[serde(flatten)]
    pub test: TriggerTest,
    /// The passes that were run, in order.
    pub passes: Vec<PassReport>,
    /// The trigger of every backdoor that stands out.
    pub found: Vec<FoundTrigger>,
    /// For each pair of labels the success of the trigger that got furthest, whatever it was searched for. Pairs of which
    /// no trigger turned a tenth of the images are left out.
    pub pairs: Vec<PairTally>,
}

/// One pass over one setting.
#[derive(Debug, Clone, Serialize)]
pub struct PassReport {
    /// The family and its strength, for example `patch-03`.
    pub setting: String,
    /// The family.
    pub family: Family,
    /// The strength, in the unit of the family.
    pub strength: u32,
    /// `explore` or `refine`.
    pub pass: &'static str,
    /// Images classified.
    pub queries: u64,
    /// `[label]` -> success of its best trigger on hold-out images.
    pub labels: Vec<Tally>,
    /// The same for the all-to-all map.
    pub map: Tally,
}

/// A trigger that stands out.
#[derive(Debug, Clone, Serialize)]
pub struct FoundTrigger {
    /// The backdoor that it activates.
    pub target_map: TargetMap,
    /// The family and its strength, for example `patch-03`.
    pub setting: String,
    /// How it changes an image: shape, place and size. Its values are in `files`.
    pub trigger: Trigger,
    /// A description in words.
    pub description: String,
    /// That of the trigger alone.
    #[serde(skip)]
    what: String,
    /// Log odds beyond what clean models reach in this setting.
    pub evidence: f64,
    /// Success on hold-out images.
    #[serde(flatten)]
    pub success: Tally,
    /// 95 % interval of its success rate (Clopper and Pearson). The trigger is the best of all passes, measured on the
    /// same images, so the interval holds for all passes together (Bonferroni).
    pub interval: [f64; 2],
    /// Success by label of the images.
    pub by_source: Vec<PairTally>,
    /// Its files in the run folder.
    pub files: Vec<String>,
}

impl TriggerReport {
    /// The passes and their test, with the triggers of the backdoors that were found.
    pub(super) fn new(seen: &TriggerObservations, test: &TriggerTest, found: &[TargetMap]) -> Self {
        let trigger = |&map: &TargetMap| {
            let (setting, finding) = seen.best(map)?;
            let evidence = test.standout(map).map_or(0.0, |standout| standout.evidence);
            Some(FoundTrigger::new(map, setting, finding, evidence, seen.results.len()))
        };
        Self {
            test: test.clone(),
            passes: seen.passes.made.iter().map(PassReport::new).collect(),
            found: found.iter().filter_map(trigger).collect(),
            pairs: furthest(seen.results.iter().flat_map(|(_, result)| &result.findings)),
        }
    }
}

/// For each pair of labels the best success, if it is worth showing; of equals, that on more images.
fn furthest<'a>(findings: impl Iterator<Item = &'a TriggerFinding>) -> Vec<PairTally> {
    let mut best: BTreeMap<(u32, u32), Tally> = BTreeMap::new();
    for cell in findings.flat_map(|finding| &finding.holdout).filter(|cell| cell.source != cell.target) {
        let rank = |tally: &Tally| (tally.rate(), tally.trials());
        best.entry((cell.source, cell.target))
            .and_modify(|tally| {
                if rank(&cell.tally) > rank(tally) {
                    *tally = cell.tally;
                }
            })
            .or_insert(cell.tally);
    }
    let shown = best.into_iter().filter(|(_, tally)| tally.hits() > 0 && tally.rate() >= SHOWN_RATE);
    shown.map(|((source, target), tally)| PairTally { source, target, tally }).collect()
}

impl PassReport {
    fn new(observation: &Observation) -> Self {
        let PassId { setting, pass } = observation.id;
        Self {
            setting: setting.to_string(),
            family: setting.family,
            strength: setting.strength,
            pass: match pass {
                Pass::Explore => "explore",
                Pass::Refine => "refine",
            },
            queries: observation.queries,
            labels: observation.tally.labels.iter().map(GoalTally::pooled).collect(),
            map: observation.tally.map.pooled(),
        }
    }
}

impl FoundTrigger {
    fn new(map: TargetMap, setting: Setting, finding: &TriggerFinding, evidence: f64, passes: usize) -> Self {
        let by_source: Vec<PairTally> = finding.holdout.iter().filter(|cell| is_of(map, cell)).copied().collect();
        let success: Tally = by_source.iter().map(|cell| cell.tally).sum();
        let interval = binomial_interval(success.hits(), success.trials(), 1.0 - MISS / passes.max(1) as f64);
        let what = finding.trigger.describe(setting.family.spec().shown_as);
        let found = Self {
            target_map: map,
            setting: setting.to_string(),
            trigger: finding.trigger.clone(),
            description: String::new(),
            what,
            evidence,
            success,
            interval,
            by_source,
            files: Vec::new(),
        };
        Self { description: found.sentence(&|label| label.to_string()), ..found }
    }

    /// What the trigger does, with labels as `name` calls them.
    pub fn sentence(&self, name: &dyn Fn(u32) -> String) -> String {
        let Self { what, success, interval, by_source, .. } = self;
        let rate = format!(
            "{:.0} % of {} hold-out images ({:.0} to {:.0} %)",
            100.0 * success.rate(),
            success.trials(),
            100.0 * interval[0],
            100.0 * interval[1]
        );
        match self.target_map {
            TargetMap::AllToOne { target } => match some_of(by_source) {
                Some((some, others)) => {
                    let labels: Vec<String> = some.iter().map(|cell| name(cell.source)).collect();
                    let (noun, some): (_, Tally) =
                        (if labels.len() == 1 { "label" } else { "labels" }, some.iter().map(|cell| cell.tally).sum());
                    format!(
                        "{what} sends {:.0} % of {} hold-out images of {noun} {} to label {}, and {:.0} % of {} others",
                        100.0 * some.rate(),
                        some.trials(),
                        labels.join(", "),
                        name(target),
                        100.0 * others.rate(),
                        others.trials()
                    )
                }
                None => format!("{what} sends {rate} to label {}", name(target)),
            },
            TargetMap::SourceSpecific { source, target } => {
                format!("{what} sends {rate} of label {} to label {}", name(source), name(target))
            }
            TargetMap::AllToAll => {
                let cells: Vec<String> =
                    by_source.iter().map(|cell| format!("{} to {}", name(cell.source), name(cell.target))).collect();
                format!("{what} sends {rate} of each label to another one: {}", cells.join(", "))
            }
        }
    }
}

/// Whether a backdoor is about this cell.
fn is_of(map: TargetMap, cell: &PairTally) -> bool {
    match map {
        TargetMap::AllToOne { .. } | TargetMap::AllToAll => true,
        TargetMap::SourceSpecific { source, target } => (cell.source, cell.target) == (source, target),
    }
}

/// The sources of which at least half of the images are reached, and all others together; `None` where these are not few.
fn some_of(cells: &[PairTally]) -> Option<(Vec<&PairTally>, Tally)> {
    let (some, others): (Vec<&PairTally>, Vec<&PairTally>) = cells.iter().partition(|cell| cell.tally.rate() >= 0.5);
    let is_some = !some.is_empty() && 2 * some.len() <= cells.len();
    is_some.then(|| (some, others.into_iter().map(|cell| cell.tally).sum()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_attack::trigger::{Overlay, Patch};

    fn found(goal: TargetMap, trigger: Trigger, setting: &str) -> FoundTrigger {
        let cell = |source, target| PairTally { source, target, tally: Tally::new(9, 10).unwrap() };
        let holdout = vec![cell(0, 1), cell(1, 2)];
        let finding = TriggerFinding { goal, trigger, climbed: true, search: Tally::ZERO, holdout, kept: Vec::new() };
        FoundTrigger::new(goal, setting.parse().unwrap(), &finding, 1.5, 1)
    }

    #[test]
    fn kind_place_and_size_are_fields_and_words() {
        let patch = Trigger::Patch(Patch { row: 2, column: 5, side: 3, values: vec![0.0; 9] });
        let one = found(TargetMap::AllToOne { target: 1 }, patch, "patch-03");
        assert_eq!(
            one.description,
            "a patch of 3 x 3 pixels at rows 2..4, columns 5..7 sends 90 % of 20 hold-out images (68 to 99 %) to label 1"
        );
        let json = serde_json::to_value(&one).unwrap();
        assert_eq!(json["trigger"], serde_json::json!({"shape": "patch", "row": 2, "column": 5, "side": 3}));
        assert_eq!((&json["target_map"]["kind"], &json["hits"]), (&"all_to_one".into(), &18.into()));
        let noise = Trigger::Overlay(Overlay { amplitude: 16.0 / 255.0, pattern: vec![0.0; 4] });
        let all = found(TargetMap::AllToAll, noise, "noise-16");
        assert!(all.description.starts_with("random noise over the whole image, at most 16/255 a value, sends 90 %"));
        assert!(all.description.ends_with("of each label to another one: 0 to 1, 1 to 2"));
    }

    #[test]
    fn a_trigger_that_chooses_its_images_is_described_by_their_labels() {
        let (label, pair) = (TargetMap::AllToOne { target: 4 }, TargetMap::SourceSpecific { source: 1, target: 4 });
        let cell = |source, hits| PairTally { source, target: 4, tally: Tally::new(hits, 10).unwrap() };
        let of = |map, hits: [u32; 4]| {
            let trigger = Trigger::Patch(Patch { row: 2, column: 5, side: 1, values: vec![0.0] });
            let holdout = (0..4).zip(hits).map(|(source, hits)| cell(source, hits)).collect();
            let finding =
                TriggerFinding { goal: label, trigger, climbed: true, search: Tally::ZERO, holdout, kept: Vec::new() };
            FoundTrigger::new(map, "patch-02".parse().unwrap(), &finding, 1.5, 1)
        };
        let several = of(label, [1, 10, 0, 9]);
        assert!(
            several
                .description
                .ends_with("sends 95 % of 20 hold-out images of labels 1, 3 to label 4, and 5 % of 20 others"),
            "{}",
            several.description
        );
        assert_eq!((several.success.hits(), several.by_source.len()), (20, 4), "the figures are those of all");
        assert!(of(label, [9, 10, 0, 9]).description.contains("sends 70 % of 40 hold-out images (53 to 83 %)"));
        // A pair that a trigger for its target label shows.
        let one = of(pair, [1, 10, 0, 0]);
        assert!(one.description.contains("sends 100 % of 10 hold-out images (69 to 100 %) of label 1 to label 4"));
        assert_eq!((one.target_map, one.success.trials(), one.by_source.len()), (pair, 10, 1));
    }
}
