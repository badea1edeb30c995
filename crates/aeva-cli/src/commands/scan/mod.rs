//! `aeva scan MODEL --data DATA`: from images to a verdict.

mod estimate;
mod perturbations;
mod triggers;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use aeva_artifact::{DataProvenance, ModelProvenance, Provenance, RunDir, RunInfo, SEARCH_VERSION};
use aeva_attack::trigger::Panel;
use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpParams, ScanEnd, ScanPlan};
use aeva_model::{Dataset, LoadedModel};
use aeva_scan::{DecisionRule, TriggerPlan};
use aeva_stats::{CombinedRule, LABELS_NEEDED, Limits, Reason};

use self::estimate::{Basis, Estimate};
use super::model;
use crate::args::{Lens, Rule, ScanArgs};
use crate::budget::Budget;
use crate::exit::Ending;
use crate::hint::Hinted;
use crate::output::{plain, show};
use crate::report;
use crate::signals::{self, Stopped};

/// What the searches of both lenses work with.
struct Subject {
    oracles: Vec<Box<dyn HardLabelOracle>>,
    data: Dataset,
    params: HopSkipJumpParams,
    batch_rows: usize,
    threads: usize,
    seed: u64,
    /// Every look at triggers, whatever the others saw.
    exhaustive: bool,
    /// Queries that the scan is expected to take, at least and at most.
    expected: (u64, u64),
    budget: Arc<Budget>,
}

pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<Ending> {
    signals::catch()?;
    match scan(args) {
        Err(error) if error.is::<Stopped>() => {
            tracing::warn!("stopped before the search; start the same command again");
            Ok(Ending::Interrupted(signals::received()))
        }
        ending => ending,
    }
}

fn scan(args: &ScanArgs) -> anyhow::Result<Ending> {
    let begin = Instant::now();
    let (lens, rule) = lens(args)?;
    let data = Dataset::load(&args.data)?;
    check_classes(&data, lens)?;
    let params = perturbations::params(args, data.image_shape().iter().product())?;
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let mut understood = model::load(&args.model, &args.input, &data, args.device, threads)?;
    tracing::info!(
        "{}: {} classes, clean accuracy {:.1} % on {} images",
        args.model.display(),
        understood.oracles[0].spec().classes,
        100.0 * understood.correct.accuracy(),
        data.labels.len()
    );

    let Prepared { lens, plan, limits } = prepare(args, lens, &params, &data, &mut understood)?;
    let batch_rows = args.batch_size.map_or(understood.batch_rows, NonZero::get);
    let under_way = batch_rows * understood.oracles.len();
    let spec = *understood.oracles[0].spec();
    let panel = (lens != Lens::Perturbation && limits.no_verdict.is_none()).then(|| Panel::new(&understood.correct));
    let jobs = plan.as_ref().map_or(0, ScanPlan::searches);
    let estimate = Estimate::new(&Basis {
        lens,
        panel: panel.as_ref(),
        shape: spec.shape(),
        images: data.labels.len(),
        exhaustive: args.exhaustive,
        perturbations: (jobs, plan.as_ref().map_or(0, |plan| perturbations::expected(plan, &spec, &params))),
        clean_queries: understood.queries,
        queries_per_second: understood.queries_per_second,
        under_way,
    });
    if args.dry_run {
        let name = super::name_of(&args.model);
        show(&if args.json { serde_json::to_string_pretty(&estimate)? } else { plain(&estimate.text(&name)) })?;
        return Ok(Ending::Success);
    }
    let budget = Arc::new(Budget::new(args.max_queries, begin, args.max_time, under_way));
    budget.count(understood.queries);
    let info = describe(args, &data, &understood, &params);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&args.model, &info.key));
    let run = RunDir::open_or_create(&folder, info)?;
    let earlier = report::earlier_seconds(&run);

    let mut subject = Subject {
        oracles: understood.oracles,
        data,
        params,
        batch_rows,
        threads,
        seed: args.seed,
        exhaustive: args.exhaustive,
        expected: estimate.queries,
        budget,
    };
    let rule = rule.decision(args.false_positive_rate, args.exhaustive);
    let judged_by_triggers = limits.no_verdict.is_none();
    let (end, searched) =
        search(&mut subject, &understood.correct, lens, plan.as_ref(), &run, &rule, judged_by_triggers)?;

    // An earlier run of the same scan may have done a part; when it has done all, its time is the scan's.
    let seconds = match earlier {
        Some(earlier) if !searched => earlier,
        earlier => begin.elapsed().as_secs_f64() + earlier.unwrap_or(0.0),
    };
    let (mut report, verdict) = report::of_run(&run, Some(seconds), &rule)?;
    if end == ScanEnd::Stopped && !signals::stopping() {
        let limit = if subject.budget.out_of_time() { "--max-time" } else { "--max-queries" };
        report.notes.push(format!(
            "the scan ended at its limit ({limit}); with a higher one the same command goes on from there"
        ));
    }
    report::store(&run, &mut report, &rule)?;
    show(&if args.json { serde_json::to_string_pretty(&report)? } else { report::table(&report, run.path()) })?;
    if end == ScanEnd::Stopped && signals::stopping() {
        tracing::warn!("stopped; what was answered is kept: start the same command again to continue");
        return Ok(Ending::Interrupted(signals::received()));
    }
    Ok(Ending::from(&verdict))
}

/// What a scan does, once it is known what the model and the images allow.
struct Prepared {
    lens: Lens,
    /// Searches of perturbations, if they may be needed.
    plan: Option<ScanPlan>,
    limits: Limits,
}

fn prepare(
    args: &ScanArgs,
    lens: Lens,
    params: &HopSkipJumpParams,
    data: &Dataset,
    understood: &mut LoadedModel,
) -> anyhow::Result<Prepared> {
    let mut lens = lens;
    let affordable = match lens {
        Lens::Trigger => None,
        lens => Some(perturbations::affordable(args, lens, params, understood)),
    };
    let plan = match (lens, affordable) {
        (_, None) => None,
        (_, Some(Ok(plan))) => {
            understood.check_precision(data.images.view(), &plan, args.seed)?;
            Some(plan)
        }
        // Triggers need no images of every label, and fewer queries.
        (Lens::All, Some(Err(error))) => {
            lens = Lens::Trigger;
            understood.notes.push(format!("triggers decide alone, as perturbations cannot be looked at: {error:#}"));
            None
        }
        (_, Some(Err(error))) => return Err(error),
    };
    // What these images cannot show is known now.
    let limits = held_out_limits(&understood.correct);
    // Of two labels no lens can single out one.
    let plan = plan.filter(|_| lens != Lens::All || !matches!(limits.no_verdict, Some(Reason::TooFewLabels { .. })));
    if let (Some(why), false) = (&limits.no_clearance, lens == Lens::Perturbation) {
        let what = if limits.no_verdict.is_some() {
            "no triggers are looked for"
        } else {
            "an alarm is possible, a clean verdict is not"
        };
        understood.notes.push(format!("{why}: {what}"));
    }
    for note in &understood.notes {
        tracing::warn!("{note}");
    }
    Ok(Prepared { lens, plan, limits })
}

/// What to look through and how to judge, from what was asked for.
fn lens(args: &ScanArgs) -> anyhow::Result<(Lens, Rule)> {
    let parts = args.sources.is_some() || args.targets.is_some();
    match (args.lens, args.rule) {
        (Lens::Trigger, Some(Rule::Published)) => {
            Err(Hinted::error("the published rule says nothing of triggers", "leave --lens away, or --rule"))
        }
        (_, Some(Rule::Published)) | (Lens::Perturbation, None) => Ok((Lens::Perturbation, Rule::Published)),
        (Lens::Perturbation, Some(rule)) => Ok((Lens::Perturbation, rule)),
        _ if parts => Err(Hinted::error(
            "--sources and --targets name pairs of labels, which only perturbations have",
            "add --lens perturbation",
        )),
        (lens, _) => Ok((lens, Rule::Combined)),
    }
}

/// Refuses data of so few classes that no model could be judged by them, before a model is asked anything.
fn check_classes(data: &Dataset, lens: Lens) -> anyhow::Result<()> {
    let classes: BTreeSet<u32> = data.labels.iter().copied().collect();
    // Parts of the perturbations may be looked at with few classes; they give no verdict by themselves.
    if lens == Lens::Perturbation || classes.len() >= LABELS_NEEDED {
        return Ok(());
    }
    let noun = if classes.len() == 1 { "class" } else { "classes" };
    Err(Hinted::error(
        format!(
            "{} has images of only {} {noun}, at least {LABELS_NEEDED} are needed",
            data.path().display(),
            classes.len()
        ),
        "add images of the other classes that the model knows: what one class does says nothing about the others",
    ))
}

/// What the images that are held out can show at all.
fn held_out_limits(correct: &CorrectImages) -> Limits {
    aeva_stats::limits(&Panel::held_out_of(&correct.counts()))
}

/// Looks through the lenses, at triggers only where they could be judged; whether anything was left to be searched.
fn search(
    subject: &mut Subject,
    correct: &CorrectImages,
    lens: Lens,
    plan: Option<&ScanPlan>,
    run: &RunDir,
    rule: &DecisionRule,
    judged_by_triggers: bool,
) -> anyhow::Result<(ScanEnd, bool)> {
    let mut searched = false;
    if lens != Lens::Perturbation && judged_by_triggers {
        let of_triggers = match rule {
            DecisionRule::Combined { rule, .. } => *rule,
            DecisionRule::Published => CombinedRule::DEFAULT,
        };
        let trigger_plan = TriggerPlan::new(subject.data.image_shape(), of_triggers, subject.exhaustive);
        let (end, new) = triggers::search(subject, correct, trigger_plan, run)?;
        searched |= new;
        if end == ScanEnd::Stopped {
            return Ok((end, searched));
        }
        if lens == Lens::Trigger || !report::triggers_leave_open(run, rule)? {
            return Ok((ScanEnd::Complete, searched));
        }
        tracing::info!("triggers leave it open: looking at perturbations as well");
    }
    match plan {
        Some(plan) => {
            let (end, new) = perturbations::search(subject, plan, run)?;
            Ok((end, searched | new))
        }
        None => Ok((ScanEnd::Complete, searched)),
    }
}

/// The run, as `run.json` has it.
fn describe(args: &ScanArgs, data: &Dataset, understood: &LoadedModel, params: &HopSkipJumpParams) -> RunInfo {
    let provenance = Provenance {
        search_version: SEARCH_VERSION,
        model: ModelProvenance {
            sha256: understood.identity.sha256.clone(),
            classes: understood.identity.classes,
            preprocessing: understood.identity.preprocessing.clone(),
        },
        data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
        search: params.provenance(),
        samples: perturbations::samples(args),
        seed: args.seed,
        provider: understood.identity.provider.clone(),
    };
    RunInfo {
        model_name: super::name_of(&args.model),
        data_name: super::name_of(&args.data),
        clean_accuracy: understood.correct.accuracy(),
        clean_correct: small(understood.correct.counts()),
        clean_images: small(understood.correct.images()),
        clean_answers: Some(understood.answers.clone()),
        clean_queries: understood.queries,
        notes: understood.notes.clone(),
        ..RunInfo::new(provenance)
    }
}

fn small(counts: Vec<usize>) -> Vec<u32> {
    counts.into_iter().map(|count| u32::try_from(count).unwrap_or(u32::MAX)).collect()
}

fn default_folder(model: &Path, key: &str) -> PathBuf {
    let stem = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Path::new("runs").join(format!("{stem}-{}", &key[..12.min(key.len())]))
}
