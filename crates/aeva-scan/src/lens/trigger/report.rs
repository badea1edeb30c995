//! The trigger lens in a report.

use aeva_attack::trigger::{Pass, PassId, Setting, Trigger, TriggerFinding};
use aeva_stats::{Family, GoalTally, PairTally, Tally, TargetMap, TriggerTest, binomial_interval};
use serde::Serialize;

use super::observations::TriggerObservations;
use super::plan::Observation;

/// The chance that an interval in a report misses the true rate.
const MISS: f64 = 0.05;

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
            let (id, result) = seen.results.get(seen.best(map)?)?;
            let evidence = test.standout(map).map_or(0.0, |standout| standout.evidence);
            Some(FoundTrigger::new(id.setting, result.finding(map)?, evidence, seen.results.len()))
        };
        Self {
            test: test.clone(),
            passes: seen.passes.made.iter().map(PassReport::new).collect(),
            found: found.iter().filter_map(trigger).collect(),
        }
    }
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
    fn new(setting: Setting, finding: &TriggerFinding, evidence: f64, passes: usize) -> Self {
        let success = finding.success();
        let interval = binomial_interval(success.hits(), success.trials(), 1.0 - MISS / passes.max(1) as f64);
        let rate = format!(
            "{:.0} % of {} hold-out images ({:.0} to {:.0} %)",
            100.0 * success.rate(),
            success.trials(),
            100.0 * interval[0],
            100.0 * interval[1]
        );
        let what = finding.trigger.describe(setting.family.spec().shown_as);
        let description = match finding.goal {
            TargetMap::AllToOne { target } => format!("{what} sends {rate} to label {target}"),
            TargetMap::SourceSpecific { source, target } => {
                format!("{what} sends {rate} of label {source} to label {target}")
            }
            TargetMap::AllToAll => {
                let cells: Vec<String> =
                    finding.holdout.iter().map(|cell| format!("{} to {}", cell.source, cell.target)).collect();
                format!("{what} sends {rate} of each label to another one: {}", cells.join(", "))
            }
        };
        Self {
            target_map: finding.goal,
            setting: setting.to_string(),
            trigger: finding.trigger.clone(),
            description,
            evidence,
            success,
            interval,
            by_source: finding.holdout.clone(),
            files: Vec::new(),
        }
    }
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
        FoundTrigger::new(setting.parse().unwrap(), &finding, 1.5, 1)
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
}
