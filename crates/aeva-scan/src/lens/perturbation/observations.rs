//! The perturbations in a store, in the form for the assessment.

use aeva_artifact::ArtifactError;
use aeva_attack::Label;
use aeva_attack::perturbation::{Outcome, PairResult, QueryCounts};
use aeva_stats::{PairScores, PublishedDecision, PublishedRule, pair_score, peak_share};
use serde::Serialize;

use super::store::PerturbationStore;

/// The perturbations of a scan.
#[derive(Debug, Clone)]
pub struct PerturbationObservations {
    /// One entry for each searched pair.
    pub pairs: Vec<PairSummary>,
    /// Queries by phase.
    pub queries: QueryCounts,
    /// Whether the search for perturbations has begun or ended.
    pub begun: bool,
    /// The decision of the published rule.
    pub decision: PublishedDecision,
}

/// The perturbations of one ordered pair in the form for the assessment.
#[derive(Debug, Clone, Serialize)]
pub struct PairSummary {
    /// Label of the origins.
    pub source: Label,
    /// Label whose boundary was walked.
    pub target: Label,
    /// Samples that count.
    pub samples: usize,
    /// How the samples that do not count ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Outcome>,
    /// The maximum peak share over the samples; `None` if none counts.
    pub score: Option<f64>,
    /// Images classified.
    pub queries: u64,
}

impl Default for PerturbationObservations {
    fn default() -> Self {
        let decision = PublishedRule::PUBLISHED.decide(&PairScores::new(0));
        Self { pairs: Vec::new(), queries: QueryCounts::default(), begun: false, decision }
    }
}

impl PerturbationObservations {
    /// Reads the perturbations in a store.
    ///
    /// # Errors
    /// If a pair in the store is damaged or foreign.
    pub fn of_store(store: &dyn PerturbationStore, classes: u32) -> Result<Self, ArtifactError> {
        let mut scores = PairScores::new(classes as usize);
        let (mut pairs, mut queries) = (Vec::new(), QueryCounts::default());
        for (source, target) in store.pairs()? {
            let Some(result) = store.pair(source, target)? else { continue };
            let summary = PairSummary::new(&result);
            queries += result.queries();
            if let Some(score) = summary.score {
                // This cannot fail: a store lists each pair of the model once, and shares are finite.
                let _ = scores.insert(source as usize, target as usize, score);
            }
            pairs.push(summary);
        }
        let begun = !pairs.is_empty() || store.has_begun_pairs();
        Ok(Self { pairs, queries, begun, decision: PublishedRule::PUBLISHED.decide(&scores) })
    }
}

impl PairSummary {
    fn new(result: &PairResult) -> Self {
        let [_, _, channels] = result.shape;
        // A perturbation without mass (the walk ended on the origin) has no share and does not count.
        let shares: Vec<f64> = result.finished().filter_map(|v| peak_share(v, channels).ok()).collect();
        Self {
            source: result.source,
            target: result.target,
            samples: shares.len(),
            unfinished: result.samples.iter().map(|s| s.outcome).filter(|&o| o != Outcome::Finished).collect(),
            score: pair_score(&shares).ok(),
            queries: result.queries().total(),
        }
    }
}
