//! What a rule says of the finished scans of a bank.

use std::path::Path;

use aeva_artifact::RunDir;
use aeva_attack::trigger::Pass;
use aeva_scan::{DecisionRule, Effort, Observation, Observations, Passes, TriggerObservations};
use aeva_stats::{CombinedRule, PassTally, Reason, TriggerTest, Verdict};
use anyhow::Context;

use super::calibration::{Calibration, Scanned};
use super::index::{Model, Truth};

/// A model, and what the rule says of it.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) model: Model,
    pub(super) seed: u64,
    pub(super) verdict: Verdict,
    /// The evidence: larger is more suspicious. `None` if nothing can be said.
    pub(super) score: Option<f64>,
    pub(super) p_value: Option<f64>,
    /// Queries of the passes that count.
    pub(super) queries: u64,
    /// Whether passes are missing that the rule requires: the scan was stopped, or another rule made it.
    pub(super) is_unfinished: bool,
}

/// A finished scan of a model, judged by the rule that is built in.
///
/// # Errors
/// When a run folder is missing or cannot be used.
pub(super) fn judge(models: &[Model], out: &Path, rule: &DecisionRule) -> anyhow::Result<Vec<(Scanned, Judged)>> {
    let judge = |model: &Model| {
        let folder = out.join(&model.name);
        one(model, &folder, rule).with_context(|| format!("cannot judge {}", folder.display()))
    };
    models.iter().map(judge).collect()
}

fn one(model: &Model, folder: &Path, rule: &DecisionRule) -> anyhow::Result<(Scanned, Judged)> {
    let run = RunDir::open(folder)?;
    let info = run.info();
    let correct: Vec<usize> = info.clean_correct.iter().map(|&count| count as usize).collect();
    let labels = info.provenance.model.classes;
    let seen = Observations::of_store(&run, labels, &correct, rule)?;
    let assessment = seen.assess(rule);
    let is_unfinished = seen.triggers.as_ref().is_none_or(|triggers| triggers.passes.left.is_some());
    let passes = seen.triggers.map(|triggers| triggers.passes);
    let of_passes =
        passes.iter().flat_map(|passes| &passes.made).fold(0_u64, |sum, pass| sum.saturating_add(pass.queries));
    let strongest = assessment.triggers.and_then(|test| test.strongest);
    let judged = Judged {
        model: model.clone(),
        seed: info.provenance.seed,
        verdict: assessment.verdict,
        score: strongest.map(|strongest| strongest.standout.evidence),
        p_value: assessment.p_value,
        queries: info.clean_queries.saturating_add(of_passes),
        is_unfinished,
    };
    let is_explore = |pass: &&Observation| pass.id.pass == Pass::Explore;
    let explored = passes.iter().flat_map(|passes| &passes.made).filter(is_explore).count();
    let is_explored = passes.as_ref().is_some_and(|passes| passes.explored);
    let passes = passes.map_or_else(Vec::new, |passes| passes.tallies());
    let all = TriggerObservations::all_tallies(&run, labels, Effort::Standard)?;
    let all_of_screen = TriggerObservations::all_tallies(&run, labels, Effort::Screen)?;
    let screen = DecisionRule::of_effort(CombinedRule::DEFAULT, Effort::Screen);
    let screen = Observations::of_store(&run, labels, &correct, &screen)?.triggers.map(|triggers| triggers.passes);
    let screen_queries = info.clean_queries + screen.as_ref().map_or(0, Passes::queries);
    let screen = screen.map_or_else(Vec::new, |passes| passes.tallies());
    Ok((
        Scanned {
            model: model.clone(),
            labels,
            passes,
            explored,
            is_explored,
            all,
            all_of_screen,
            screen,
            screen_queries,
        },
        judged,
    ))
}

/// The models, each judged by what the models of all other groups say: fitted margins and clean models. A group is what
/// `of` says, for example the origin. The passes are those of a scan of this effort.
pub(super) fn left_out(scans: &[(Scanned, Judged)], effort: Effort, of: impl Fn(&Model) -> &str) -> Vec<Judged> {
    let mut judged = Vec::new();
    left_out_with(scans, effort, of, |scanned, built_in, test| {
        let (passes, queries) = match effort {
            Effort::Screen => (&scanned.screen, scanned.screen_queries),
            Effort::Standard | Effort::Exhaustive => (&scanned.passes, built_in.queries),
        };
        judged.push(Judged { queries, ..by_test(built_in, &test(passes)) });
    });
    judged
}

/// Hands every model to `use_one`, with the test that is fitted to the clean models of all other groups.
pub(super) fn left_out_with(
    scans: &[(Scanned, Judged)],
    effort: Effort,
    of: impl Fn(&Model) -> &str,
    mut use_one: impl FnMut(&Scanned, &Judged, &dyn Fn(&[PassTally]) -> TriggerTest),
) {
    let mut groups: Vec<&str> = scans.iter().map(|(scanned, _)| of(&scanned.model)).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let (inside, outside): (Vec<_>, Vec<_>) = scans.iter().partition(|(scanned, _)| of(&scanned.model) == group);
        let clean: Vec<&Scanned> =
            outside.iter().map(|(scanned, _)| scanned).filter(|scanned| scanned.model.truth == Truth::Clean).collect();
        let fitted = Calibration::fit(&clean);
        let (margins, reference) = (fitted.margins(), fitted.reference(effort));
        for (scanned, built_in) in inside {
            use_one(scanned, built_in, &|passes| fitted.test(passes, &margins, &reference));
        }
    }
}

fn by_test(built_in: &Judged, test: &TriggerTest) -> Judged {
    let alpha = CombinedRule::DEFAULT.trigger_alpha(&test.null);
    let suspects = test.suspects(alpha);
    let verdict = if test.null.floor() > alpha {
        let needed = CombinedRule::DEFAULT.references_needed();
        Verdict::Inconclusive { why: Reason::TooFewReferences { found: test.null.full_models(), needed } }
    } else if suspects.is_empty() {
        Verdict::Clean
    } else {
        Verdict::Backdoored { suspects }
    };
    let score = test.strongest.as_ref().map(|strongest| strongest.standout.evidence);
    Judged { verdict, score, p_value: Some(test.p_value), ..built_in.clone() }
}

impl Judged {
    pub(super) fn is_infected(&self) -> bool {
        matches!(self.model.truth, Truth::Infected { .. })
    }

    pub(super) fn is_flagged(&self) -> bool {
        matches!(self.verdict, Verdict::Backdoored { .. })
    }

    pub(super) fn is_inconclusive(&self) -> bool {
        matches!(self.verdict, Verdict::Inconclusive { .. })
    }

    /// Whether the verdict names the target label first; `None` if there is no single one, or nothing is named.
    pub(super) fn names_the_target(&self) -> Option<bool> {
        match (&self.model.truth, &self.verdict) {
            (Truth::Infected { target: Some(target), .. }, Verdict::Backdoored { suspects }) => {
                Some(suspects.first() == Some(target))
            }
            _ => None,
        }
    }
}
