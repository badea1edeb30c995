//! What the triggers of a run say, as `report.json` has it.

use aeva_artifact::{
    Aim, ArtifactError, Family, Level, Look, RunDir, Trigger, TriggerArtifact, TriggerFinding, Turned,
};
use aeva_attack::trigger::TRIGGER_SEARCH_VERSION;
use aeva_scan::{Replay, Seen, TriggerPlan, judged, success};
use aeva_stats::{CombinedRule, LevelSuccess, TriggerJudgement, binomial_interval};
use serde::Serialize;

/// Confidence of the intervals in the report.
const CONFIDENCE: f64 = 0.95;

/// The lens of triggers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TriggerReport {
    /// Chance that a clean model shows triggers that stand out so far.
    pub(crate) p_value: f64,
    /// Whether one trigger turns every label into another one, rather than all into a few.
    pub(crate) all_to_all: bool,
    pub(crate) levels: Vec<LevelReport>,
    /// The trigger of every suspect, and of the map.
    pub(crate) found: Vec<FoundTrigger>,
}

/// One family at one strength.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LevelReport {
    pub(crate) level: String,
    pub(crate) family: Family,
    pub(crate) strength: u32,
    /// Whether it was the first look at it or the second.
    pub(crate) look: Look,
    pub(crate) queries: u64,
    /// Success on images held out, by label.
    pub(crate) labels: Vec<Share>,
    pub(crate) map: Share,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Share {
    pub(crate) turned: u32,
    pub(crate) asked: u32,
}

/// A trigger that stands out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FoundTrigger {
    /// Label it leads to; absent for a map.
    pub(crate) label: Option<u32>,
    /// The only label that it works from, where a backdoor is source-specific.
    pub(crate) source: Option<u32>,
    pub(crate) level: String,
    /// In words.
    pub(crate) description: String,
    /// Log odds beyond what clean models are allowed at this level.
    pub(crate) evidence: f64,
    pub(crate) turned: u32,
    pub(crate) asked: u32,
    /// 95 % interval of its success (Clopper and Pearson).
    pub(crate) interval: [f64; 2],
    pub(crate) by_source: Vec<Turned>,
    /// Files of it in the run folder.
    pub(crate) files: Vec<String>,
}

/// The triggers of a run and what they say.
pub(super) struct Triggers {
    /// One a look, in the order in which a scan takes them.
    artifacts: Vec<TriggerArtifact>,
    pub(super) replay: Replay,
    judgement: TriggerJudgement,
}

impl Triggers {
    /// The looks that a scan under this rule takes, as far as the run folder has them; nothing where it has no looks at all.
    pub(super) fn of_run(run: &RunDir, rule: CombinedRule, exhaustive: bool) -> anyhow::Result<Option<Self>> {
        let looks = |look: Look| -> Result<Vec<TriggerArtifact>, ArtifactError> {
            Level::EVERY.into_iter().filter_map(|level| run.load_triggers(level, look).transpose()).collect()
        };
        let mut there = looks(Look::First)?;
        there.extend(looks(Look::Second)?);
        if there.is_empty() {
            return Ok(None);
        }
        // What another version of the search left behind says nothing of this one.
        there.retain(|artifact| artifact.trigger_search_version == TRIGGER_SEARCH_VERSION);
        let shape = there.first().map_or([0; 3], |first| first.shape);
        let mut artifacts = Vec::new();
        let replay = TriggerPlan::new(shape, rule, exhaustive).replay(|step| {
            let of_step = |one: &TriggerArtifact| (one.level, one.look, one.shape) == (step.level, step.look, shape);
            let artifact = there.swap_remove(there.iter().position(of_step)?);
            let seen = Seen { step, success: success(&artifact), queries: artifact.queries };
            artifacts.push(artifact);
            Some(seen)
        });
        Ok(Some(Self { judgement: judged(&replay.seen), artifacts, replay }))
    }

    /// Number of looks that count.
    pub(super) fn looks(&self) -> usize {
        self.artifacts.len()
    }

    pub(super) fn queries(&self) -> u64 {
        self.artifacts.iter().map(|artifact| artifact.queries).sum()
    }

    /// The trigger of an aim where it stands out most, else where it turns most images.
    pub(super) fn best(&self, aim: Aim) -> Option<(&TriggerArtifact, &TriggerFinding, Option<f64>)> {
        let evidence = match aim {
            Aim::Label(label) => self.judgement.labels.get(label as usize).copied().flatten(),
            Aim::Pair { .. } => self.judgement.pair.map(|(_, evidence, place)| (evidence, place)),
            Aim::Map => self.judgement.map,
        };
        let finding = |artifact: &'_ TriggerArtifact| artifact.findings.iter().position(|finding| finding.aim == aim);
        if let Some((evidence, place)) = evidence {
            let artifact = &self.artifacts[place];
            return finding(artifact).map(|at| (artifact, &artifact.findings[at], Some(evidence)));
        }
        let all = self.artifacts.iter().filter_map(|artifact| Some((artifact, &artifact.findings[finding(artifact)?])));
        all.max_by_key(|(_, finding)| finding.proof().0).map(|(artifact, finding)| (artifact, finding, None))
    }

    pub(super) fn report(&self, level: f64) -> TriggerReport {
        let all_to_all = self.judgement.is_map(level);
        let aims: Vec<Aim> = if all_to_all {
            vec![Aim::Map]
        } else {
            let small = |label: usize| u32::try_from(label).unwrap_or(u32::MAX);
            let pair = self.judgement.suspect_pair(level);
            let aim = |label: usize| match pair {
                Some((source, target)) if target == label => Aim::Pair { source: small(source), target: small(target) },
                _ => Aim::Label(small(label)),
            };
            self.judgement.suspects(level).into_iter().map(aim).collect()
        };
        TriggerReport {
            p_value: self.judgement.p_value,
            all_to_all,
            levels: self.artifacts.iter().map(level_report).collect(),
            found: aims.into_iter().filter_map(|aim| self.best(aim).map(|best| found(&best))).collect(),
        }
    }
}

impl FoundTrigger {
    /// What it is meant to do.
    pub(super) fn aim(&self) -> Aim {
        match (self.source, self.label) {
            (Some(source), Some(target)) => Aim::Pair { source, target },
            (None, Some(label)) => Aim::Label(label),
            (_, None) => Aim::Map,
        }
    }
}

fn level_report(artifact: &TriggerArtifact) -> LevelReport {
    let LevelSuccess { labels, map, .. } = success(artifact);
    let share = |(turned, asked): (u32, u32)| Share { turned, asked };
    LevelReport {
        level: artifact.level.to_string(),
        family: artifact.level.family,
        strength: artifact.level.strength,
        look: artifact.look,
        queries: artifact.queries,
        labels: labels.into_iter().map(share).collect(),
        map: share(map),
    }
}

fn found((artifact, finding, evidence): &(&TriggerArtifact, &TriggerFinding, Option<f64>)) -> FoundTrigger {
    let (turned, asked) = finding.proof();
    let (source, label) = match finding.aim {
        Aim::Label(label) => (None, Some(label)),
        Aim::Pair { source, target } => (Some(source), Some(target)),
        Aim::Map => (None, None),
    };
    let what = match &finding.trigger {
        Trigger::Patch(patch) => format!(
            "a patch of {0} x {0} pixels at rows {1}..{2}, columns {3}..{4}",
            patch.side,
            patch.row,
            patch.row + patch.side - 1,
            patch.column,
            patch.column + patch.side - 1
        ),
        Trigger::Overlay(overlay) => {
            let what = match artifact.level.family {
                Family::Wave => "a random sine",
                Family::Noise => "random noise",
                Family::Overlay | Family::Patch | Family::Square => "a pattern",
            };
            format!("{what} over the whole image, at most {:.0}/255 a value,", 255.0 * overlay.amplitude)
        }
    };
    let interval = binomial_interval(turned, asked, CONFIDENCE);
    let percent = 100.0 * f64::from(turned) / f64::from(asked.max(1));
    let proof =
        format!("{percent:.0} % of {asked} unseen images ({:.0} to {:.0} %)", 100.0 * interval[0], 100.0 * interval[1]);
    let description = if let (Some(label), Some(source)) = (label, source) {
        format!("{what} sends {proof} of label {source} to label {label}, far more than of any other pair of labels")
    } else if let Some(label) = label {
        format!("{what} sends {proof} to label {label}")
    } else {
        let cells: Vec<String> =
            finding.held_out.iter().map(|cell| format!("{} to {}", cell.source, cell.target)).collect();
        format!("{what} sends {proof} of each label to another one: {}", cells.join(", "))
    };
    FoundTrigger {
        label,
        source,
        level: artifact.level.to_string(),
        description,
        evidence: evidence.unwrap_or_default(),
        turned,
        asked,
        interval,
        by_source: finding.held_out.clone(),
        files: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_artifact::{DataProvenance, ModelProvenance, Overlay, Patch, Provenance, RunInfo, SearchProvenance};
    use aeva_stats::Reason;

    fn provenance() -> Provenance {
        let model = ModelProvenance { sha256: "00".to_owned(), classes: 3, preprocessing: String::new() };
        let data = DataProvenance { sha256: "11".to_owned(), images: 9 };
        let search = SearchProvenance {
            iterations: 1,
            initial_evaluations: 1,
            maximum_evaluations: 1,
            gamma: 1.0,
            maximum_halvings: 1,
            query_budget: None,
        };
        let provider = String::new();
        Provenance { search_version: 1, model, data, search, samples: 1, seed: 0, provider }
    }

    const SHAPE: [usize; 3] = [4, 4, 1];

    fn artifact(level: Level, look: Look, trigger_search_version: u32) -> TriggerArtifact {
        let trigger = match level.family {
            Family::Patch | Family::Square => {
                let side = level.side(SHAPE);
                Trigger::Patch(Patch { row: 0, column: 0, side, values: vec![1.0; side * side] })
            }
            _ => Trigger::Overlay(Overlay { amplitude: level.amplitude(), pattern: vec![1.0; 16] }),
        };
        let finding = |label| TriggerFinding {
            aim: Aim::Label(label),
            trigger: trigger.clone(),
            climbed: !level.family.is_random(),
            search: (1, 2),
            held_out: vec![Turned { source: (label + 1) % 3, target: label, turned: 2 * label, asked: 40 }],
        };
        TriggerArtifact {
            provenance: provenance(),
            trigger_search_version,
            level,
            look,
            shape: SHAPE,
            queries: 10,
            findings: (0..3).map(finding).collect(),
            confusion: Vec::new(),
        }
    }

    fn judged(run: &RunDir, exhaustive: bool) -> Option<Triggers> {
        Triggers::of_run(run, CombinedRule::DEFAULT, exhaustive).unwrap()
    }

    /// All looks of a run at images of so small a size that there are few levels, by this version of the search or another one.
    fn store(run: &RunDir, version: u32, second: bool) {
        for level in Level::all(SHAPE) {
            run.store_triggers(&artifact(level, Look::First, version)).unwrap();
            if second && !level.family.is_random() {
                run.store_triggers(&artifact(level, Look::Second, version)).unwrap();
            }
        }
    }

    #[test]
    fn what_a_plain_scan_would_not_have_taken_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open_or_create(folder.path(), RunInfo::new(provenance())).unwrap();
        assert!(judged(&run, false).is_none());
        store(&run, TRIGGER_SEARCH_VERSION, false);
        let plain = judged(&run, false).unwrap();
        assert_eq!((plain.artifacts.len(), plain.replay.left), (Level::all(SHAPE).len(), None));
        assert!(judged(&run, true).unwrap().replay.left.is_some(), "an exhaustive scan takes second looks");
        store(&run, TRIGGER_SEARCH_VERSION, true);
        let again = judged(&run, false).unwrap();
        assert_eq!((again.artifacts, again.judgement), (plain.artifacts, plain.judgement));
        let more = judged(&run, true).unwrap();
        assert!(more.artifacts.len() > Level::all(SHAPE).len() && more.replay.left.is_none());
    }

    #[test]
    fn looks_of_another_search_are_never_judged() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open_or_create(folder.path(), RunInfo::new(provenance())).unwrap();
        store(&run, TRIGGER_SEARCH_VERSION - 1, true);
        let old = judged(&run, false).unwrap();
        assert_eq!((old.looks() == 0, old.replay.left), (true, Some(Reason::LooksLeft { taken: 0 })));
        // Some looks were taken anew, the rest is as it was.
        let first = Level::all(SHAPE)[0];
        run.store_triggers(&artifact(first, Look::First, TRIGGER_SEARCH_VERSION)).unwrap();
        let mixed = judged(&run, false).unwrap();
        assert_eq!((mixed.looks(), mixed.replay.left), (1, Some(Reason::LooksLeft { taken: 1 })));
    }
}
