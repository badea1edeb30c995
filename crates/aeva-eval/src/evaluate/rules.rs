//! From the peak shares of a scan to a judgement, by the published rule and by others that read the same numbers otherwise.

use aeva_scan::{Assessment, DecisionRule, Observations, PERTURBATION_BUDGET, assess, left_open};
use aeva_stats::{CombinedRule, PublishedRule, Verdict, anomaly_indices, judge, median};

use super::triggers::Triggers;
use crate::sweep::Sweep;

/// A way to judge the same scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Sharpest sample, sum over the sources, outlier by the median absolute deviation.
    Published,
    /// The mean of the samples in place of the sharpest.
    MeanOfSamples,
    /// The median over the sources in place of the sum.
    MedianOfSources,
    /// The logarithm of each sum: against its skew.
    Logarithm,
    /// What `aeva scan` says by default: triggers first, perturbations where those leave it open.
    Combined,
}

/// What a rule says of one model at one budget.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) queries: u64,
    /// Highest anomaly index, or `-log10` of the combined p-value; none where the rule cannot be applied.
    pub(super) score: Option<f64>,
    /// The label that has it.
    pub(super) label: Option<usize>,
    /// Labels that the rule flags.
    pub(super) suspects: Vec<usize>,
    pub(super) inconclusive: bool,
}

impl Rule {
    /// Those that judge perturbations.
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

    /// Judges the first `samples` samples of a sweep at one of its looks.
    ///
    /// # Errors
    /// When the sweep names a pair twice.
    pub(super) fn judge(self, sweep: &Sweep, samples: u32, look: usize) -> anyhow::Result<Judged> {
        if self == Self::Published {
            let (scores, queries) = sweep.pair_scores(samples, look)?;
            let judgement = judge(&scores, &PublishedRule::PUBLISHED);
            let indices = judgement.labels.iter().filter_map(|label| Some((label.anomaly_index?, label.label)));
            let (score, label) = indices.max_by(|a, b| a.0.total_cmp(&b.0)).unzip();
            let (suspects, inconclusive) = match judgement.verdict {
                Verdict::Clean => (Vec::new(), false),
                Verdict::Backdoored { suspects } => (suspects, false),
                Verdict::Inconclusive { .. } => (Vec::new(), true),
            };
            return Ok(Judged { queries, score, label, suspects, inconclusive });
        }
        let (pairs, queries) = sweep.pairs(samples, look);
        let mut of_target: Vec<Vec<f64>> = vec![Vec::new(); sweep.classes];
        for ((_, target), shares) in pairs {
            let score = match self {
                Self::MeanOfSamples => shares.iter().sum::<f64>() / shares.len() as f64,
                _ => shares.iter().copied().fold(f64::NAN, f64::max),
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

/// What `aeva scan` says by default of these triggers, and of these perturbations where the triggers leave it open.
pub(super) fn combined(triggers: &Triggers, sweep: &Sweep) -> anyhow::Result<Judged> {
    let combined = CombinedRule::DEFAULT;
    let rule = DecisionRule::Combined { rule: combined, exhaustive: false };
    let looks = triggers.under(combined);
    let mut queries = looks.seen.iter().map(|seen| seen.queries).sum();
    let (scores, spent) = sweep.pair_scores(sweep.samples, sweep.looks.len() - 1)?;
    let mut observations = Observations { triggers: Some(&looks), perturbations: None, held_out: None };
    let judgement = judge(&scores, &PublishedRule::PUBLISHED);
    if left_open(&observations, &rule) && spent <= PERTURBATION_BUDGET {
        queries += spent;
        observations.perturbations = Some(&judgement);
    }
    let Assessment { verdict, score, triggers, .. } = assess(&observations, &rule);
    let (suspects, inconclusive) = match verdict {
        Verdict::Clean => (Vec::new(), false),
        Verdict::Backdoored { suspects } => (suspects, false),
        Verdict::Inconclusive { .. } => (Vec::new(), true),
    };
    let strongest = triggers.and_then(|triggers| triggers.strongest);
    let label = suspects.first().or_else(|| strongest.as_ref()?.labels.first()).copied();
    Ok(Judged { queries, score, label, suspects, inconclusive })
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
