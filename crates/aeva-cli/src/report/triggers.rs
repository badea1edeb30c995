//! What the triggers of a run say, as `report.json` has it.

use aeva_artifact::{
    Aim, ArtifactError, Family, Level, Look, RunDir, Trigger, TriggerArtifact, TriggerFinding, Turned,
};
use aeva_scan::{Seen, Step, TriggerPlan, success};
use aeva_stats::{CombinedRule, LevelSuccess, Reason, TriggerJudgement, binomial_interval, judge_triggers};
use serde::Serialize;

/// Confidence of the intervals in the report.
const CONFIDENCE: f64 = 0.95;
/// With fewer images held out, no trigger is proved.
pub(super) const IMAGES_NEEDED: u32 = 20;
/// With fewer, one of them is always the easier one.
const LABELS_NEEDED: usize = 3;

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

/// The triggers of a run and what they say; nothing where there are none.
pub(super) struct Triggers {
    /// One a look, the first looks before the second ones.
    artifacts: Vec<TriggerArtifact>,
    pub(super) judgement: TriggerJudgement,
    /// Images held out that were asked about for one label, at most.
    proof: u32,
}

impl Triggers {
    pub(super) fn of_run(run: &RunDir) -> anyhow::Result<Option<Self>> {
        let looks = |look: Look| -> Result<Vec<TriggerArtifact>, ArtifactError> {
            Level::EVERY.into_iter().filter_map(|level| run.load_triggers(level, look).transpose()).collect()
        };
        let mut artifacts = looks(Look::First)?;
        let Some(version) = artifacts.first().map(|first| first.trigger_search_version) else { return Ok(None) };
        // A second look of an earlier version of the search says nothing of this one. Single pixels have no first look.
        artifacts.extend(looks(Look::Second)?.into_iter().filter(|second| second.trigger_search_version == version));
        let levels: Vec<LevelSuccess> = artifacts.iter().map(success).collect();
        let proof = levels.iter().flat_map(|level| &level.labels).map(|(_, asked)| *asked).max().unwrap_or(0);
        Ok(Some(Self { judgement: judge_triggers(&levels), artifacts, proof }))
    }

    /// Why these triggers prove nothing, if they do not.
    pub(super) fn shortcoming(&self) -> Option<Reason> {
        let labels = self.judgement.labels.len();
        if labels < LABELS_NEEDED {
            return Some(Reason::TooFewLabels { found: labels, needed: LABELS_NEEDED });
        }
        let (found, needed) = (self.proof as usize, IMAGES_NEEDED as usize);
        (found < needed).then_some(Reason::TooFewImages { found, needed })
    }

    /// Whether looks are left that could still clear the model, or not, under this rule.
    pub(super) fn left(&self, rule: CombinedRule) -> Option<Reason> {
        let plan = TriggerPlan::new(self.artifacts.first()?.shape, rule, false);
        let mut seen = Vec::new();
        while let Some(step) = plan.next(&seen) {
            let Some(artifact) = self.artifacts.iter().find(|one| Step { level: one.level, look: one.look } == step)
            else {
                return Some(Reason::LooksLeft { taken: self.artifacts.len() });
            };
            seen.push(Seen { step, success: success(artifact), queries: artifact.queries });
        }
        None
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
    use aeva_artifact::{DataProvenance, ModelProvenance, Patch, Provenance, RunInfo, SearchProvenance};

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

    fn artifact(strength: u32, look: Look, trigger_search_version: u32) -> TriggerArtifact {
        let level = Level { family: Family::Patch, strength };
        let (shape, side) = ([32, 32, 1], strength as usize);
        let trigger = Trigger::Patch(Patch { row: 0, column: 0, side, values: vec![1.0; side * side] });
        let finding = |label| TriggerFinding {
            aim: Aim::Label(label),
            trigger: trigger.clone(),
            climbed: true,
            search: (1, 2),
            held_out: vec![Turned { source: (label + 1) % 3, target: label, turned: 20 * label, asked: 40 }],
        };
        TriggerArtifact {
            provenance: provenance(),
            trigger_search_version,
            level,
            look,
            shape,
            queries: 10,
            findings: (0..3).map(finding).collect(),
            confusion: Vec::new(),
        }
    }

    /// Single pixels are looked at the second time only; what an older search left behind does not count.
    #[test]
    fn every_look_of_one_search_counts() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open_or_create(folder.path(), RunInfo::new(provenance())).unwrap();
        assert!(Triggers::of_run(&run).unwrap().is_none());
        for (strength, look, version) in
            [(2, Look::First, 7), (3, Look::First, 7), (3, Look::Second, 6), (2, Look::Second, 7), (1, Look::Second, 7)]
        {
            run.store_triggers(&artifact(strength, look, version)).unwrap();
        }
        let triggers = Triggers::of_run(&run).unwrap().unwrap();
        let looks: Vec<(u32, Look)> =
            triggers.artifacts.iter().map(|artifact| (artifact.level.strength, artifact.look)).collect();
        assert_eq!(looks, [(2, Look::First), (3, Look::First), (1, Look::Second), (2, Look::Second)]);
        assert_eq!(triggers.queries(), 40);
        assert!(triggers.left(CombinedRule::DEFAULT).is_some(), "patches of four pixels are still to come");
    }
}
