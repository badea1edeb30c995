//! What a rule says of the finished scans of a bank.

use std::path::Path;

use aeva_artifact::RunDir;
use aeva_scan::{DecisionRule, Observations};
use aeva_stats::{Reason, Verdict};
use anyhow::Context;

use super::index::{Model, Truth};

/// A model, and what the rule says of it.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) model: Model,
    pub(super) verdict: Verdict,
    /// Larger is more suspicious; `None` if nothing can be said.
    pub(super) score: Option<f64>,
    pub(super) p_value: Option<f64>,
    /// Queries of the passes that count.
    pub(super) queries: u64,
}

/// Judges the run folders of these models again, without a query.
///
/// # Errors
/// When a run folder is missing or cannot be used.
pub(super) fn judge(models: &[Model], out: &Path, rule: &DecisionRule) -> anyhow::Result<Vec<Judged>> {
    let judge = |model: &Model| {
        let folder = out.join(&model.name);
        one(model, &folder, rule).with_context(|| format!("cannot judge {}", folder.display()))
    };
    models.iter().map(judge).collect()
}

fn one(model: &Model, folder: &Path, rule: &DecisionRule) -> anyhow::Result<Judged> {
    let run = RunDir::open(folder)?;
    let info = run.info();
    let correct: Vec<usize> = info.clean_correct.iter().map(|&count| count as usize).collect();
    let seen = Observations::of_store(&run, info.provenance.model.classes, &correct, rule)?;
    let assessment = seen.assess(rule);
    let passes = seen.triggers.map_or(0, |triggers| triggers.passes.queries());
    Ok(Judged {
        model: model.clone(),
        verdict: assessment.verdict,
        score: assessment.score,
        p_value: assessment.p_value,
        queries: info.clean_queries.saturating_add(passes),
    })
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

    /// Whether passes are missing that the rule requires: the scan was stopped, or another rule made it.
    pub(super) fn is_unfinished(&self) -> bool {
        matches!(self.verdict, Verdict::Inconclusive { why: Reason::PassesLeft { .. } })
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
