//! From what was found in a model to a decision: by the rules of `aeva scan`, and by other rules that read the same perturbations.

use aeva_scan::{Assessment, DecisionRule, Evidence, assess};
use aeva_stats::{PublishedRule, Verdict, anomaly_indices, median, pair_score};
use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::triggers::{Triggers, default_perturbations};
use crate::sweep::Sweep;

/// A way to judge what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub(super) enum Rule {
    /// The sharpest sample of each pair, the sum over the sources, an outlier by the median absolute deviation.
    Published,
    /// The same with the mean of the samples.
    MeanOfSamples,
    /// The same with the median over the sources.
    MedianOfSources,
    /// The same with the logarithm of each sum, because the sums are skewed.
    Logarithm,
    /// What `aeva scan` does by default: triggers, or perturbations where the images allow no triggers.
    Combined,
}

/// What a rule says of one model at one budget.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) queries: u64,
    /// Highest anomaly index, or `-log10` of the combined p-value; `None` if the rule cannot be applied.
    pub(super) score: Option<f64>,
    /// The label that has it.
    pub(super) label: Option<usize>,
    /// Labels that the rule flags.
    pub(super) suspects: Vec<usize>,
    pub(super) inconclusive: bool,
}

impl Rule {
    /// The rules that judge perturbations alone.
    pub(super) const OF_PERTURBATIONS: [Self; 4] =
        [Self::Published, Self::MeanOfSamples, Self::MedianOfSources, Self::Logarithm];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::MeanOfSamples => "mean of the samples",
            Self::MedianOfSources => "median of the sources",
            Self::Logarithm => "logarithm of GAP",
            Self::Combined => "combined",
        }
    }

    /// Judges the first `samples` samples of a sweep at one of its checkpoints.
    ///
    /// # Errors
    /// When the sweep names a pair twice.
    pub(super) fn judge(self, sweep: &Sweep, samples: u32, checkpoint: usize) -> anyhow::Result<Judged> {
        if self == Self::Published {
            let (scores, queries) = sweep.pair_scores(samples, checkpoint)?;
            let decision = PublishedRule::PUBLISHED.decide(&scores);
            let (score, label) = decision.highest().unzip();
            return Ok(Judged::new(decision.verdict, queries, score, label));
        }
        let (pairs, queries) = sweep.pairs(samples, checkpoint);
        let mut of_target: Vec<Vec<f64>> = vec![Vec::new(); sweep.classes];
        for ((_, target), shares) in pairs {
            let score = match self {
                Self::MeanOfSamples => shares.iter().sum::<f64>() / shares.len() as f64,
                _ => pair_score(&shares).unwrap_or(f64::NAN),
            };
            of_target[target].push(score);
        }
        let complete = of_target.iter().all(|scores| scores.len() + 1 == sweep.classes);
        let values: Result<Vec<f64>, _> = of_target
            .iter()
            .map(|scores| match self {
                Self::MedianOfSources => median(scores),
                Self::Logarithm => Ok(scores.iter().sum::<f64>().ln()),
                _ => Ok(scores.iter().sum()),
            })
            .collect();
        let indices = match values.and_then(|values| anomaly_indices(&values)) {
            Ok(indices) if complete => indices,
            _ => return Ok(Judged { queries, score: None, label: None, suspects: Vec::new(), inconclusive: true }),
        };
        let highest = indices.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let suspects =
            (0..indices.len()).filter(|&label| indices[label] > PublishedRule::PUBLISHED.threshold).collect();
        Ok(Judged {
            queries,
            score: highest.map(|(_, index)| index),
            label: highest.map(|(label, _)| label),
            suspects,
            inconclusive: false,
        })
    }
}

impl From<Rule> for &'static str {
    fn from(rule: Rule) -> Self {
        rule.name()
    }
}

impl TryFrom<String> for Rule {
    type Error = anyhow::Error;

    fn try_from(name: String) -> anyhow::Result<Self> {
        let mut all = Self::OF_PERTURBATIONS.into_iter().chain([Self::Combined]);
        let Some(rule) = all.find(|rule| rule.name() == name) else { bail!("`{name}` is the name of no rule") };
        Ok(rule)
    }
}

impl Judged {
    fn new(verdict: Verdict, queries: u64, score: Option<f64>, label: Option<usize>) -> Self {
        let inconclusive = matches!(verdict, Verdict::Inconclusive { .. });
        Self { queries, score, label, suspects: verdict.suspects().to_vec(), inconclusive }
    }
}

/// What `aeva scan` says by default, given the triggers of a model, or its perturbations where the images allow no
/// triggers.
///
/// # Errors
/// When the sweep names a pair twice.
pub(super) fn combined(triggers: &Triggers, sweep: &Sweep) -> anyhow::Result<Judged> {
    let rule = DecisionRule::DEFAULT;
    let (of_triggers, _) = rule.of_triggers();
    let passes = triggers.under(&of_triggers);
    // No passes at all: the images did not allow any.
    let seen = (!passes.made.is_empty()).then_some(&passes);
    let mut evidence = Evidence { triggers: seen, holdout: Some(&triggers.holdout), ..Evidence::default() };
    let mut queries = passes.queries();
    let request = default_perturbations(sweep.values)?;
    let decision;
    if seen.is_none() && request.check_budget(sweep.planned, sweep.values).is_ok() {
        let (scores, spent) = sweep.deepest_scores()?;
        queries += spent;
        decision = PublishedRule::PUBLISHED.decide(&scores);
        evidence.perturbations = Some(&decision);
    }
    let Assessment { verdict, score, triggers, .. } = assess(&evidence, &rule);
    let strongest = || triggers.and_then(|test| test.strongest?.targets().first().copied());
    let label = verdict.suspects().first().copied().or_else(strongest);
    Ok(Judged::new(verdict, queries, score, label))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use crate::sweep::Search;

    /// Five labels; the searches towards label 2 peak, but only with the second sample, and only from three of four sources.
    fn sweep() -> Sweep {
        let mut searches = Vec::new();
        for (source, target) in (0..5).flat_map(|s| (0..5).map(move |t| (s, t))).filter(|(s, t)| s != t) {
            for sample in 0..2 {
                let wobble = 0.001 * ((3 * source + 5 * target) % 7) as f64;
                let share = if target == 2 && sample == 1 && source != 0 { 0.3 } else { 0.01 + wobble };
                searches.push(Search { source, target, sample, at: vec![Some((share, 100))] });
            }
        }
        Sweep::of_searches(5, 2, &[10], searches)
    }

    #[test]
    fn all_rules_see_a_plain_case_and_none_without_the_sample_that_peaks() {
        for rule in Rule::OF_PERTURBATIONS {
            let judged = rule.judge(&sweep(), 2, 0).unwrap();
            assert_eq!((judged.suspects.as_slice(), judged.label, judged.queries), ([2].as_slice(), Some(2), 4000));
            assert!(rule.judge(&sweep(), 1, 0).unwrap().suspects.is_empty(), "{}", rule.name());
        }
    }

    /// Small patches send so many images to the first two labels, and nothing else stands out.
    fn triggers(first: u32, second: u32) -> Triggers {
        Triggers::of_hits(|id| if id.to_string() == "patch-02" { [first, second, 3, 2, 0] } else { [8, 5, 3, 2, 0] })
    }

    #[test]
    fn clear_triggers_decide_without_perturbations() {
        let alarm = combined(&triggers(178, 5), &sweep()).unwrap();
        assert_eq!((alarm.suspects.as_slice(), alarm.label), ([0].as_slice(), Some(0)));
        assert!(alarm.queries < 1000, "it stops early");
        let clean = combined(&triggers(8, 5), &sweep()).unwrap();
        assert!(clean.suspects.is_empty() && !clean.inconclusive);
        assert_eq!(clean.queries, 1200, "every exploring pass");
    }

    #[test]
    fn perturbations_count_where_the_images_allow_no_triggers() {
        let queries = |planned: usize| {
            let mut sweep = sweep();
            sweep.planned = planned;
            let none = triggers(8, 5).too_few_images();
            combined(&none, &sweep).unwrap().queries
        };
        // What the sweep spent is 4000.
        assert_eq!((queries(40), queries(10_000)), (4000, 0));
    }

    #[test]
    fn a_missing_pair_is_inconclusive_by_every_rule() {
        let mut missing = sweep();
        missing.searches.retain(|search| (search.source, search.target) != (1, 4));
        for rule in Rule::OF_PERTURBATIONS {
            let judged = rule.judge(&missing, 2, 0).unwrap();
            assert!(judged.inconclusive && judged.suspects.is_empty(), "{}", rule.name());
        }
    }
}
