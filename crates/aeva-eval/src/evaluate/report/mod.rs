//! The figures of an evaluation: `evaluation.json`.

mod markdown;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::measures::{Logistic, auc, auc_interval, cross_entropy, share, share_interval, threshold_at};
use super::rules::{Judged, Rule};
use super::{Budget, Evaluated, PARTS, Preset, Split};

/// Version of the form of `evaluation.json`.
const SCHEMA_VERSION: u32 = 2;
/// Share of clean models that a threshold may flag.
const FALSE_POSITIVES: f64 = 0.05;
/// The kind of attack whose trigger works on images of one label only.
const SOURCE_SPECIFIC: &str = "source_specific";
/// Score of a model to which the rule cannot be applied.
const NO_EVIDENCE: f64 = 0.0;

/// `evaluation.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    schema_version: u32,
    seed: u64,
    models: usize,
    /// One entry a budget: the published rule on the reported half, with thresholds from the tuning half.
    budgets: Vec<BudgetFigures>,
    /// One entry a rule, at the deepest budget of each preset: likewise.
    rules: Vec<BudgetFigures>,
    /// One entry a kind of attack and rule, on all models: the published rule at the quick preset, and the combined rule.
    kinds: Vec<GroupFigures>,
    /// One entry a data set and rule: likewise.
    datasets: Vec<GroupFigures>,
    /// Every model by these two rules.
    each: Vec<ModelFigures>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BudgetFigures {
    rule: Rule,
    preset: Preset,
    samples: u32,
    /// Iterations, as a part of those of the preset.
    part: f64,
    /// Models of the reported half that were scanned at this budget.
    models: usize,
    /// Median over the models with ten labels.
    queries: u64,
    auc: Option<f64>,
    auc_interval: Option<[f64; 2]>,
    /// Threshold with at most 5 % false positives on the tuning half.
    threshold: f64,
    detected: Option<f64>,
    false_positives: Option<f64>,
    above_4: AtFour,
    cross_entropy: Option<f64>,
}

/// What the rule itself flags: an index above 4 by the published rule.
#[derive(Debug, Serialize, Deserialize)]
struct AtFour {
    detected: Option<f64>,
    detected_interval: Option<[f64; 2]>,
    false_positives: Option<f64>,
    false_positives_interval: Option<[f64; 2]>,
    /// Share of the flagged infected models whose first suspect is an infected label, without all-to-all models.
    right_label: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupFigures {
    rule: Rule,
    name: String,
    infected: usize,
    /// Clean models that they are compared with.
    clean: usize,
    auc: Option<f64>,
    auc_interval: Option<[f64; 2]>,
    above_4: AtFour,
    /// Of the infected models, or of the clean models where none is infected; `None` for an empty group.
    median_score: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ModelFigures {
    rule: Rule,
    name: String,
    dataset: String,
    architecture: String,
    kind: String,
    classes: u32,
    split: Split,
    infected_labels: Vec<usize>,
    score: Option<f64>,
    label: Option<usize>,
    suspects: Vec<usize>,
    inconclusive: bool,
    queries: u64,
    /// Of the perturbations, or of all passes over triggers, including those that a plain scan would not have made.
    seconds: f64,
}

/// A model, and what a rule says of it at a budget.
type Case<'a> = (&'a Evaluated, &'a Judged);

/// All figures.
pub(super) fn evaluation(models: &[Evaluated], seed: u64) -> Evaluation {
    let steps: BTreeSet<Budget> =
        models.iter().flat_map(|model| model.judged.iter().map(|(_, budget, _)| *budget)).collect();
    let budgets = steps.iter().map(|&budget| budget_figures(models, Rule::Published, budget, seed));
    let deepest = |preset: Preset| match preset {
        Preset::Quick => Some(Budget::QUICK),
        Preset::Published => steps.iter().rfind(|budget| budget.preset == preset).copied(),
    };
    let rules = [Preset::Quick, Preset::Published].into_iter().filter_map(deepest).flat_map(|budget| {
        Rule::OF_PERTURBATIONS.into_iter().map(move |rule| budget_figures(models, rule, budget, seed))
    });
    let combined = budget_figures(models, Rule::Combined, Budget::QUICK, seed);
    let names = |of: fn(&Evaluated) -> &String| models.iter().map(of).cloned().collect::<BTreeSet<String>>();
    let both = [Rule::Published, Rule::Combined];
    let cases = |rule: Rule, wanted: &dyn Fn(&Evaluated) -> bool| -> Vec<Case<'_>> {
        let wanted = models.iter().filter(|model| wanted(model));
        wanted.filter_map(|model| Some((model, model.at(rule, Budget::QUICK)?))).collect()
    };
    let (mut kinds, mut datasets) = (Vec::new(), Vec::new());
    for rule in both {
        let clean = cases(rule, &|model| !model.model.infected());
        for kind in names(|model| &model.model.kind) {
            let infected = cases(rule, &|model| model.model.infected() && model.model.kind == kind);
            kinds.push(group(rule, kind, &infected, &clean, seed));
        }
        // Source-specific triggers are a problem of their own.
        let reported = |model: &Evaluated| model.model.split == Split::Report;
        let infected =
            cases(rule, &|model| reported(model) && model.model.infected() && model.model.kind != SOURCE_SPECIFIC);
        let clean = cases(rule, &|model| reported(model) && !model.model.infected());
        kinds.push(group(rule, format!("reported half, all but {SOURCE_SPECIFIC}"), &infected, &clean, seed));
        for dataset in names(|model| &model.model.dataset) {
            let infected = cases(rule, &|model| model.model.infected() && model.model.dataset == dataset);
            let clean = cases(rule, &|model| !model.model.infected() && model.model.dataset == dataset);
            datasets.push(group(rule, dataset, &infected, &clean, seed));
        }
    }
    Evaluation {
        schema_version: SCHEMA_VERSION,
        seed,
        models: models.len(),
        budgets: budgets.collect(),
        rules: rules.chain([combined]).collect(),
        kinds,
        datasets,
        each: both.iter().flat_map(|&rule| models.iter().filter_map(move |model| model_figures(model, rule))).collect(),
    }
}

impl Evaluation {
    /// Reads `evaluation.json`.
    ///
    /// # Errors
    /// When the text is no evaluation of this schema.
    pub(crate) fn from_json(text: &[u8]) -> anyhow::Result<Self> {
        let evaluation: Self = serde_json::from_slice(text)?;
        let found = evaluation.schema_version;
        anyhow::ensure!(found == SCHEMA_VERSION, "schema_version is {found}, this program reads {SCHEMA_VERSION}");
        Ok(evaluation)
    }

    pub(super) fn auc_by_kind(&self) -> BTreeMap<String, Option<f64>> {
        self.kinds
            .iter()
            .filter(|kind| kind.rule == Rule::Published)
            .map(|kind| (kind.name.clone(), kind.auc))
            .collect()
    }
}

fn scores(judged: &[Case<'_>]) -> Vec<f64> {
    let score = |judged: &Judged| judged.score.filter(|score| score.is_finite()).unwrap_or(NO_EVIDENCE);
    judged.iter().map(|(_, judged)| score(judged)).collect()
}

fn with_truth(infected: &[Case<'_>], clean: &[Case<'_>]) -> Vec<(f64, bool)> {
    let infected = scores(infected).into_iter().map(|score| (score, true));
    infected.chain(scores(clean).into_iter().map(|score| (score, false))).collect()
}

fn budget_figures(models: &[Evaluated], rule: Rule, budget: Budget, seed: u64) -> BudgetFigures {
    let of = |split: Split, infected: bool| -> Vec<Case<'_>> {
        let wanted = |model: &&Evaluated| model.model.split == split && model.model.infected() == infected;
        models.iter().filter(wanted).filter_map(|model| Some((model, model.at(rule, budget)?))).collect()
    };
    let (tune_infected, tune_clean) = (of(Split::Tune, true), of(Split::Tune, false));
    let (infected, clean) = (of(Split::Report, true), of(Split::Report, false));
    let threshold = threshold_at(&scores(&tune_clean), FALSE_POSITIVES);
    let fit = Logistic::fit(&with_truth(&tune_infected, &tune_clean));
    let probabilities: Vec<(f64, bool)> = with_truth(&infected, &clean)
        .into_iter()
        .zip(infected.iter().chain(&clean))
        .map(|((score, truth), (_, judged))| (if judged.inconclusive { 0.5 } else { fit.probability(score) }, truth))
        .collect();
    let ten_labels = models.iter().filter(|model| model.model.classes == 10);
    let mut queries: Vec<u64> = ten_labels.filter_map(|model| Some(model.at(rule, budget)?.queries)).collect();
    queries.sort_unstable();
    BudgetFigures {
        rule,
        preset: budget.preset,
        samples: budget.samples,
        part: PARTS[budget.part],
        models: infected.len() + clean.len(),
        queries: queries.get(queries.len() / 2).copied().unwrap_or_default(),
        auc: auc(&scores(&infected), &scores(&clean)),
        auc_interval: auc_interval(&scores(&infected), &scores(&clean), seed),
        threshold,
        detected: share(&scores(&infected), |&score| score > threshold),
        false_positives: share(&scores(&clean), |&score| score > threshold),
        above_4: above_4(&infected, &clean),
        cross_entropy: cross_entropy(&probabilities),
    }
}

fn above_4(infected: &[Case<'_>], clean: &[Case<'_>]) -> AtFour {
    let flagged = |(_, judged): &Case<'_>| !judged.suspects.is_empty();
    let (detected, false_positives) = (share(infected, flagged), share(clean, flagged));
    let named: Vec<Case<'_>> =
        infected.iter().copied().filter(flagged).filter(|(model, _)| model.model.kind != "all_to_all").collect();
    AtFour {
        detected,
        detected_interval: detected.map(|share| share_interval(share, infected.len())),
        false_positives,
        false_positives_interval: false_positives.map(|share| share_interval(share, clean.len())),
        right_label: share(&named, |(model, judged)| {
            judged.label.is_some_and(|label| model.model.infected_labels.contains(&label))
        }),
    }
}

fn group(rule: Rule, name: String, infected: &[Case<'_>], clean: &[Case<'_>], seed: u64) -> GroupFigures {
    let mut sorted = scores(if infected.is_empty() { clean } else { infected });
    sorted.sort_by(f64::total_cmp);
    GroupFigures {
        rule,
        name,
        infected: infected.len(),
        clean: clean.len(),
        auc: auc(&scores(infected), &scores(clean)),
        auc_interval: auc_interval(&scores(infected), &scores(clean), seed),
        above_4: above_4(infected, clean),
        median_score: sorted.get(sorted.len() / 2).copied(),
    }
}

fn model_figures(evaluated: &Evaluated, rule: Rule) -> Option<ModelFigures> {
    let (model, judged) = (&evaluated.model, evaluated.at(rule, Budget::QUICK)?);
    Some(ModelFigures {
        rule,
        name: model.name.clone(),
        dataset: model.dataset.clone(),
        architecture: model.architecture.clone(),
        kind: model.kind.clone(),
        classes: model.classes,
        split: model.split,
        infected_labels: model.infected_labels.clone(),
        score: judged.score,
        label: judged.label,
        suspects: judged.suspects.clone(),
        inconclusive: judged.inconclusive,
        queries: judged.queries,
        seconds: if rule == Rule::Combined { evaluated.trigger_seconds } else { evaluated.seconds },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, reason = "known values")]
mod tests {
    use super::super::{Model, Split};
    use super::*;

    fn model(name: &str, kind: &str, split: Split, score: f64, label: usize) -> Evaluated {
        let judged = |samples: u32| Judged {
            queries: 1000 * u64::from(samples),
            score: Some(score),
            label: Some(label),
            suspects: if score > 4.0 { vec![label] } else { Vec::new() },
            inconclusive: false,
        };
        let at = |samples| (Rule::Published, Budget { samples, ..Budget::QUICK }, judged(samples));
        Evaluated {
            model: Model {
                name: name.to_owned(),
                file: String::new(),
                sha256: String::new(),
                data: String::new(),
                dataset: "digits".to_owned(),
                architecture: "cnn".to_owned(),
                kind: kind.to_owned(),
                classes: 10,
                infected_labels: if kind == "clean" { Vec::new() } else { vec![3] },
                usable: true,
                split,
            },
            seconds: 1.0,
            trigger_seconds: 1.0,
            judged: vec![at(1), at(2)],
        }
    }

    /// In the reported half, one of three infected models is missed and one has the wrong label first; one of two clean models is
    /// flagged.
    #[test]
    fn figures_of_a_small_zoo() {
        let models = [
            model("a", "clean", Split::Tune, 1.0, 0),
            model("b", "patch", Split::Tune, 9.0, 3),
            model("c", "clean", Split::Report, 4.5, 0),
            model("d", "clean", Split::Report, 0.5, 0),
            model("e", "patch", Split::Report, 8.0, 3),
            model("f", "patch", Split::Report, 2.0, 7),
            model("g", "pixel", Split::Report, 6.0, 7),
        ];
        let evaluation = evaluation(&models, 0);
        assert_eq!(evaluation.budgets.len(), 2);
        let budget = &evaluation.budgets[1];
        assert_eq!((budget.samples, budget.queries), (2, 2000));
        // Six pairs of infected and clean; only 2.0 against 4.5 is lost.
        assert!((budget.auc.unwrap() - 5.0 / 6.0).abs() < 1e-12);
        // The tuning half has one clean model, whose score is the threshold.
        assert_eq!((budget.threshold, budget.detected, budget.false_positives), (1.0, Some(1.0), Some(0.5)));
        let rule = &budget.above_4;
        assert_eq!((rule.detected, rule.false_positives), (Some(2.0 / 3.0), Some(0.5)));
        assert_eq!(rule.right_label, Some(0.5));
        assert!(budget.cross_entropy.unwrap() > 0.0);
        let kind = |name: &str| {
            evaluation.kinds.iter().find(|kind| kind.name == name && kind.rule == Rule::Published).unwrap()
        };
        assert_eq!((kind("patch").infected, kind("patch").clean), (3, 3));
        assert_eq!((kind("clean").infected, kind("clean").clean, kind("clean").auc), (0, 3, None));
        let tables = evaluation.markdown();
        assert!(tables.contains("| patch | published | 3 | 3 | 0.89"), "{tables}");
        assert!(
            tables.lines().filter(|line| line.starts_with("| published | quick | 2 | 100 % | 5 | 2000 | 0.83")).count()
                == 2,
            "{tables}"
        );
    }
}
