//! The evaluation as tables and as JSON.

use std::collections::BTreeSet;

use serde::Serialize;

use super::measures::{Logistic, auc, auc_interval, cross_entropy, share, share_interval, threshold_at};
use super::sweep::Budget;
use super::{Evaluated, Split};

/// Share of clean models that a threshold may flag.
const FALSE_POSITIVES: f64 = 0.05;
/// Score of a model to which the rule cannot be applied: no evidence either way.
const NO_EVIDENCE: f64 = 0.0;

/// `evaluation.json`.
#[derive(Debug, Serialize)]
pub(super) struct Evaluation {
    schema_version: u32,
    seed: u64,
    models: usize,
    /// One entry a budget, measured on the reported half, its thresholds from the other one.
    budgets: Vec<BudgetFigures>,
    /// One entry a kind of attack, at the quick preset, on all models.
    kinds: Vec<GroupFigures>,
    /// One entry a data set, likewise.
    datasets: Vec<GroupFigures>,
    /// Every model at the quick preset.
    each: Vec<ModelFigures>,
}

#[derive(Debug, Serialize)]
struct BudgetFigures {
    samples: u32,
    /// Iterations as a part of the quick preset's.
    part: f64,
    /// Median over the models of ten labels.
    queries: u64,
    auc: Option<f64>,
    auc_interval: Option<[f64; 2]>,
    /// Threshold with at most 5 % false positives on the tuning half.
    threshold: f64,
    detected: Option<f64>,
    false_positives: Option<f64>,
    published: Rule,
    cross_entropy: Option<f64>,
}

/// The published rule: index above 4.
#[derive(Debug, Serialize)]
struct Rule {
    detected: Option<f64>,
    detected_interval: Option<[f64; 2]>,
    false_positives: Option<f64>,
    false_positives_interval: Option<[f64; 2]>,
    /// Share of the detected models with their label first, all-to-all models left aside.
    right_label: Option<f64>,
}

#[derive(Debug, Serialize)]
struct GroupFigures {
    name: String,
    infected: usize,
    /// Clean models they are compared with.
    clean: usize,
    auc: Option<f64>,
    auc_interval: Option<[f64; 2]>,
    published: Rule,
    /// Of the infected models; of the clean ones where the group is they.
    median_score: f64,
}

#[derive(Debug, Serialize)]
struct ModelFigures {
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
    /// Of the deepest budget.
    seconds: f64,
}

/// A model with its judgement at the budget in question.
type Judged<'a> = (&'a Evaluated, &'a Budget);

/// Everything that is reported.
pub(super) fn evaluation(models: &[Evaluated], seed: u64) -> Evaluation {
    let steps: BTreeSet<(u32, u64)> = models
        .iter()
        .flat_map(|model| model.sweep.budgets.iter().map(|budget| (budget.samples, budget.part.to_bits())))
        .collect();
    let budgets = steps.iter().map(|&(samples, part)| budget_figures(models, samples, f64::from_bits(part), seed));
    let names = |of: fn(&Evaluated) -> &String| models.iter().map(of).cloned().collect::<BTreeSet<String>>();
    let quick = |wanted: &dyn Fn(&Evaluated) -> bool| -> Vec<Judged<'_>> {
        models.iter().filter(|model| wanted(model)).map(|model| (model, model.sweep.quick())).collect()
    };
    let clean = quick(&|model| !model.model.infected());
    let kinds = names(|model| &model.model.kind).into_iter().map(|kind| {
        let infected = quick(&|model| model.model.infected() && model.model.kind == kind);
        group(kind, &infected, &clean, seed)
    });
    let datasets = names(|model| &model.model.dataset).into_iter().map(|dataset| {
        let infected = quick(&|model| model.model.infected() && model.model.dataset == dataset);
        let clean = quick(&|model| !model.model.infected() && model.model.dataset == dataset);
        group(dataset, &infected, &clean, seed)
    });
    Evaluation {
        schema_version: 1,
        seed,
        models: models.len(),
        budgets: budgets.collect(),
        kinds: kinds.collect(),
        datasets: datasets.collect(),
        each: models.iter().map(model_figures).collect(),
    }
}

/// The judgement at a budget, or with as many samples as the model has.
fn at(model: &Evaluated, samples: u32, part: f64) -> &Budget {
    let budgets = &model.sweep.budgets;
    let same_part = |budget: &&Budget| (budget.part - part).abs() < 1e-9;
    let found = budgets.iter().filter(same_part).filter(|budget| budget.samples <= samples).max_by_key(|b| b.samples);
    found.unwrap_or(&budgets[0])
}

fn scores(judged: &[Judged<'_>]) -> Vec<f64> {
    let score = |budget: &Budget| budget.score.filter(|score| score.is_finite()).unwrap_or(NO_EVIDENCE);
    judged.iter().map(|(_, budget)| score(budget)).collect()
}

fn with_truth(infected: &[Judged<'_>], clean: &[Judged<'_>]) -> Vec<(f64, bool)> {
    let infected = scores(infected).into_iter().map(|score| (score, true));
    infected.chain(scores(clean).into_iter().map(|score| (score, false))).collect()
}

fn budget_figures(models: &[Evaluated], samples: u32, part: f64, seed: u64) -> BudgetFigures {
    let of = |split: Split, infected: bool| -> Vec<Judged<'_>> {
        let wanted = |model: &&Evaluated| model.model.split == split && model.model.infected() == infected;
        models.iter().filter(wanted).map(|model| (model, at(model, samples, part))).collect()
    };
    let (tune_infected, tune_clean) = (of(Split::Tune, true), of(Split::Tune, false));
    let (infected, clean) = (of(Split::Report, true), of(Split::Report, false));
    let threshold = threshold_at(&scores(&tune_clean), FALSE_POSITIVES);
    let fit = Logistic::fit(&with_truth(&tune_infected, &tune_clean));
    let probabilities: Vec<(f64, bool)> = with_truth(&infected, &clean)
        .into_iter()
        .zip(infected.iter().chain(&clean))
        .map(|((score, truth), (_, budget))| (if budget.inconclusive { 0.5 } else { fit.probability(score) }, truth))
        .collect();
    let ten_labels = models.iter().filter(|model| model.model.classes == 10);
    let mut queries: Vec<u64> = ten_labels.map(|model| at(model, samples, part).queries).collect();
    queries.sort_unstable();
    BudgetFigures {
        samples,
        part,
        queries: queries.get(queries.len() / 2).copied().unwrap_or_default(),
        auc: auc(&scores(&infected), &scores(&clean)),
        auc_interval: auc_interval(&scores(&infected), &scores(&clean), seed),
        threshold,
        detected: share(&scores(&infected), |&score| score > threshold),
        false_positives: share(&scores(&clean), |&score| score > threshold),
        published: rule(&infected, &clean),
        cross_entropy: cross_entropy(&probabilities),
    }
}

fn rule(infected: &[Judged<'_>], clean: &[Judged<'_>]) -> Rule {
    let flagged = |(_, budget): &Judged<'_>| !budget.suspects.is_empty();
    let (detected, false_positives) = (share(infected, flagged), share(clean, flagged));
    let named: Vec<Judged<'_>> =
        infected.iter().copied().filter(flagged).filter(|(model, _)| model.model.kind != "all_to_all").collect();
    Rule {
        detected,
        detected_interval: detected.map(|share| share_interval(share, infected.len())),
        false_positives,
        false_positives_interval: false_positives.map(|share| share_interval(share, clean.len())),
        right_label: share(&named, |(model, budget)| {
            budget.label.is_some_and(|label| model.model.infected_labels.contains(&label))
        }),
    }
}

fn group(name: String, infected: &[Judged<'_>], clean: &[Judged<'_>], seed: u64) -> GroupFigures {
    let mut sorted = scores(if infected.is_empty() { clean } else { infected });
    sorted.sort_by(f64::total_cmp);
    GroupFigures {
        name,
        infected: infected.len(),
        clean: clean.len(),
        auc: auc(&scores(infected), &scores(clean)),
        auc_interval: auc_interval(&scores(infected), &scores(clean), seed),
        published: rule(infected, clean),
        median_score: sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN),
    }
}

fn model_figures(evaluated: &Evaluated) -> ModelFigures {
    let (model, budget) = (&evaluated.model, evaluated.sweep.quick());
    ModelFigures {
        name: model.name.clone(),
        dataset: model.dataset.clone(),
        architecture: model.architecture.clone(),
        kind: model.kind.clone(),
        classes: model.classes,
        split: model.split,
        infected_labels: model.infected_labels.clone(),
        score: budget.score,
        label: budget.label,
        suspects: budget.suspects.clone(),
        inconclusive: budget.inconclusive,
        queries: budget.queries,
        seconds: evaluated.sweep.seconds,
    }
}

/// The tables.
pub(super) fn markdown(evaluation: &Evaluation) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let interval =
        |value: Option<[f64; 2]>| value.map_or_else(String::new, |[low, high]| format!(" ({low:.2} to {high:.2})"));
    let mut lines = vec![
        format!("Seed {}, {} models.", evaluation.seed, evaluation.models),
        String::new(),
        "By budget, on the reported half (thresholds and probabilities from the other half):".to_owned(),
        String::new(),
        "| samples | iterations | queries | AUC | detected at 5 % | false positives there | detected by index > 4 | false positives | right label | cross-entropy |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for b in &evaluation.budgets {
        lines.push(format!(
            "| {} | {:.0} % | {} | {}{} | {} | {} | {}{} | {}{} | {} | {} |",
            b.samples,
            100.0 * b.part,
            b.queries,
            number(b.auc),
            interval(b.auc_interval),
            number(b.detected),
            number(b.false_positives),
            number(b.published.detected),
            interval(b.published.detected_interval),
            number(b.published.false_positives),
            interval(b.published.false_positives_interval),
            number(b.published.right_label),
            number(b.cross_entropy),
        ));
    }
    for (title, groups) in [("kind of attack", &evaluation.kinds), ("data set", &evaluation.datasets)] {
        lines.push(String::new());
        lines.push(format!("By {title}, at the quick preset, all models:"));
        lines.push(String::new());
        lines.push(format!("| {title} | infected | clean | AUC | detected by index > 4 | false positives | right label | median index |"));
        lines.push("| --- | --- | --- | --- | --- | --- | --- | --- |".to_owned());
        for g in groups {
            lines.push(format!(
                "| {} | {} | {} | {}{} | {}{} | {}{} | {} | {:.1} |",
                g.name,
                g.infected,
                g.clean,
                number(g.auc),
                interval(g.auc_interval),
                number(g.published.detected),
                interval(g.published.detected_interval),
                number(g.published.false_positives),
                interval(g.published.false_positives_interval),
                number(g.published.right_label),
                g.median_score,
            ));
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, reason = "known values")]
mod tests {
    use super::super::sweep::{Sweep, VERSION};
    use super::super::{Model, Split};
    use super::*;

    fn model(name: &str, kind: &str, split: Split, score: f64, label: usize) -> Evaluated {
        let budget = |samples: u32, part: f64| Budget {
            samples,
            part,
            iterations: 14,
            queries: 1000 * u64::from(samples),
            score: Some(score),
            label: Some(label),
            suspects: if score > 4.0 { vec![label] } else { Vec::new() },
            inconclusive: false,
        };
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
            sweep: Sweep {
                version: VERSION,
                clean_accuracy: 1.0,
                queries: 2000,
                seconds: 1.0,
                budgets: vec![budget(1, 1.0), budget(2, 1.0)],
            },
        }
    }

    /// Two infected models of which one is missed and one has the wrong label first, two clean ones of which one is flagged.
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
        let rule = &budget.published;
        assert_eq!((rule.detected, rule.false_positives), (Some(2.0 / 3.0), Some(0.5)));
        assert_eq!(rule.right_label, Some(0.5));
        assert!(budget.cross_entropy.unwrap() > 0.0);
        let kind = |name: &str| evaluation.kinds.iter().find(|kind| kind.name == name).unwrap();
        assert_eq!((kind("patch").infected, kind("patch").clean), (3, 3));
        assert_eq!((kind("clean").infected, kind("clean").clean, kind("clean").auc), (0, 3, None));
        let tables = markdown(&evaluation);
        assert!(tables.contains("| patch | 3 | 3 | 0.89"), "{tables}");
        assert!(tables.lines().filter(|line| line.starts_with("| 2 | 100 % | 2000 | 0.83")).count() == 1, "{tables}");
    }
}
