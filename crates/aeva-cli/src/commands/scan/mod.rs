//! `aeva scan MODEL --data DATA`: from images to a verdict.

mod dry_run;
mod request;
mod share;
mod start;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use aeva_artifact::{DataProvenance, ModelProvenance, PerturbationProvenance, Provenance, RunDir, RunInfo};
use aeva_model::{Dataset, LoadError, LoadedModel};
use aeva_scan::{
    Budget, DecisionRule, End, Estimate, Exhausted, LensName, Lenses, Outcome, Report, Scan, reference_rule,
};
use aeva_stats::LABELS_NEEDED;
use anyhow::Context;

use super::references;
use crate::args::ScanArgs;
use crate::exit::{ExitStatus, FailOn};
use crate::hint::Hinted;
use crate::output::{leave_stdout, plain, show};
use crate::progress::ScanProgress;
use crate::report;
use crate::signals::{self, Stopped};

pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<ExitStatus> {
    signals::catch()?;
    match scan(args, Purpose::Verdict) {
        Err(error) if error.is::<Stopped>() => {
            tracing::warn!("stopped before the search; start the same command again");
            Ok(ExitStatus::Interrupted(signals::received()))
        }
        Err(error) if matches!(error.downcast_ref(), Some(LoadError::Wobbles { .. })) => {
            tracing::error!("inconclusive: {error}");
            Ok(match args.output.fail_on {
                FailOn::Inconclusive => ExitStatus::Inconclusive,
                FailOn::Backdoored => ExitStatus::Success,
            })
        }
        ending => ending,
    }
}

/// The name of the model that the program that started this one answers for.
const CALLER: &str = "-";

/// What a scan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To judge a model.
    Verdict,
    /// To compare others with the model, which is clean.
    Reference,
}

pub(super) fn scan(args: &ScanArgs, purpose: Purpose) -> anyhow::Result<ExitStatus> {
    if args.model().as_os_str() == CALLER {
        leave_stdout();
    }
    let references = references::load(&args.reference, Some(&|model, out| of_reference(model, out, args)))?;
    let begin = Instant::now();
    if args.shard.is_some() {
        share::check(args)?;
    }
    if let Some(folder) = &args.out {
        // Before a service is asked anything.
        RunDir::check_usable(folder)?;
    }
    let (lenses, rule) = match purpose {
        Purpose::Verdict => request::lenses(args)?,
        Purpose::Reference => (Lenses::Only(LensName::Triggers), DecisionRule::DEFAULT),
    };
    let data = args.images.load(&args.data)?;
    // With models to compare with, two labels can be judged.
    let needed = if references.is_empty() && purpose == Purpose::Verdict { LABELS_NEEDED } else { 2 };
    check_classes(&data, lenses, needed)?;
    let perturbations = request::perturbations(args, data.image_shape().iter().product())?;
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let mut model = start::load(args, &data, threads.get())?;
    tracing::info!(
        "{}: {} classes, clean accuracy {:.1} % on {} images",
        plain(&model.name),
        model.spec.classes,
        100.0 * model.correct.accuracy(),
        data.labels.len()
    );

    let rule = match purpose {
        Purpose::Verdict => rule.with_references(&references::for_model(references, &model.identity.sha256)),
        Purpose::Reference => reference_rule(&model.correct.counts()),
    };
    let measured = PerturbationProvenance::new(&perturbations.params, perturbations.samples);
    let shard = args.shard.filter(|_| purpose == Purpose::Verdict);
    let request = aeva_scan::Request {
        lenses,
        rule: rule.clone(),
        perturbations,
        seed: args.seed.number,
        batch_rows: args.batch_size.unwrap_or(NonZero::new(model.batch_rows).unwrap_or(NonZero::<usize>::MIN)),
        threads,
        sees_small_changes: model.sees_small_changes,
        shard,
    };
    refuse_unseen(lenses, &model)?;
    let scan = Scan::new(request, model.spec, &model.correct)
        .with_context(|| format!("{} cannot be scanned with {}", plain(&model.name), args.data.display()))?;
    if let Some(plan) = scan.precision_plan() {
        model.check_precision(data.images.view(), plan, args.seed.number)?;
    }
    model.notes.extend(scan.notes());
    for note in &model.notes {
        tracing::warn!("{note}");
    }
    let estimate = scan.estimate(data.labels.len(), model.queries, model.queries_per_second, model.oracles.len());
    if args.dry_run {
        return dry_run::print(&estimate, &model.name, args.output.format());
    }
    refuse_hours(lenses, args, &estimate)?;

    let info = describe(args, &data, &model, measured);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&info));
    let mut run = share::folder(RunDir::open_or_create(&folder, info)?, shard, args);
    start::keep(&run, &model)?;
    let known = data.class_names.as_ref().or(model.class_names.as_ref());
    let names = report::class_names(&run, args.output.class_names.as_deref(), known)?;
    let earlier = report::earlier_seconds(&run);
    let budget = Budget { queries: args.max_queries, deadline: args.max_time.and_then(|time| begin.checked_add(time)) };
    let progress = ScanProgress::new(estimate.queries);
    let images = data.images.view();
    let outcome = scan.run(&mut model.oracles, images, model.queries, budget, &mut run, &progress)?;
    if let Some(shard) = shard {
        return share::end(shard, &scan, &outcome, run, args, |run| {
            let progress = progress;
            scan.help(&mut model.oracles, images, &outcome, budget, run, &progress)
        });
    }
    drop(progress);

    let mut report = Report::new(run.info(), &outcome.observations, &outcome.assessment, &rule);
    report.seconds = seconds(begin, earlier, &outcome);
    report.notes.extend(outcome.exhausted.map(|limit| limit_note(limit, args)));
    let is_interrupted = outcome.end == End::Stopped && outcome.exhausted.is_none();
    if purpose == Purpose::Verdict && !args.no_html && !is_interrupted {
        let left = args.max_queries.unwrap_or(u64::MAX).saturating_sub(report.queries);
        report::examples::make(&run, &report, &data, &mut model, args.seed.number, left)?;
    }
    report::count_others(&run, &mut report, outcome.checks);
    report::store(&run, &mut report, &outcome.observations)?;
    start::forget(&run, &outcome);
    if purpose == Purpose::Verdict {
        if !args.no_html {
            report::store_page(&run, &report, &names)?;
        }
        show(&report::render(&report, &names, &run, args.output.format())?)?;
    }
    if is_interrupted {
        tracing::warn!("stopped; all answers are kept: start {} again to continue", same_command(args));
        return Ok(ExitStatus::Interrupted(signals::received()));
    }
    Ok(ExitStatus::of(&outcome.assessment.verdict, args.output.fail_on))
}

/// Refuses perturbations alone that take hours, unless a limit is stated.
fn refuse_hours(lenses: Lenses, args: &ScanArgs, estimate: &Estimate) -> anyhow::Result<()> {
    let is_limited = args.max_time.is_some() || args.max_queries.is_some();
    if lenses == Lenses::Only(LensName::Perturbations) && !is_limited {
        dry_run::refuse_hours(estimate)
    } else {
        Ok(())
    }
}

/// Refuses perturbations alone of a model that does not see them.
fn refuse_unseen(lenses: Lenses, model: &LoadedModel) -> anyhow::Result<()> {
    if lenses != Lenses::Only(LensName::Perturbations) || model.sees_small_changes {
        return Ok(());
    }
    Err(Hinted::error(
        format!("{} sees pixels in steps of 1/255, which are too coarse for perturbations", plain(&model.name)),
        "look for triggers: --lens trigger",
    ))
}

/// Scans a clean model to compare with.
fn of_reference(model: &Path, out: &Path, args: &ScanArgs) -> anyhow::Result<()> {
    let args = args.clone().with_model(model.to_owned(), out.to_owned());
    let status = scan(&args, Purpose::Reference)?;
    if status.is_interrupted() { Err(Stopped.into()) } else { Ok(()) }
}

/// Duration of the whole scan, if it is known. An earlier run may have done a part of it. If others did everything, such as the
/// shares, nobody knows.
fn seconds(begin: Instant, earlier: Option<f64>, outcome: &Outcome) -> Option<f64> {
    if outcome.searched { Some(begin.elapsed().as_secs_f64() + earlier.unwrap_or(0.0)) } else { earlier }
}

/// The command that continues this scan. A seed that was drawn has to be named.
fn same_command(args: &ScanArgs) -> String {
    if args.seed.is_drawn {
        format!("the same command with --seed {}", args.seed)
    } else {
        "the same command".to_owned()
    }
}

fn limit_note(exhausted: Exhausted, args: &ScanArgs) -> String {
    let limit = match exhausted {
        Exhausted::Queries => "--max-queries",
        Exhausted::Time => "--max-time",
        Exhausted::Oracle => "--max-requests",
    };
    let command = same_command(args);
    format!("the scan ended at its limit ({limit}); {command}, with a higher limit, continues from there")
}

/// Refuses data with too few classes to judge any model, before the first query.
fn check_classes(data: &Dataset, lenses: Lenses, needed: usize) -> anyhow::Result<()> {
    let classes: BTreeSet<u32> = data.labels.iter().copied().collect();
    // With few classes, a part of the perturbations may still be searched; a part gives no verdict.
    if lenses == Lenses::Only(LensName::Perturbations) || classes.len() >= needed {
        return Ok(());
    }
    let noun = if classes.len() == 1 { "class" } else { "classes" };
    Err(Hinted::error(
        format!("{} has images of only {} {noun}; at least {needed} are needed", data.path().display(), classes.len()),
        "add images of the model's other classes: the images of one class say nothing about the others",
    ))
}

/// The description of the run for `run.json`.
fn describe(args: &ScanArgs, data: &Dataset, model: &LoadedModel, perturbations: PerturbationProvenance) -> RunInfo {
    let identity = model.identity.clone();
    let provenance = Provenance {
        model: ModelProvenance {
            sha256: identity.sha256,
            classes: identity.classes,
            preprocessing: identity.preprocessing,
        },
        data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
        seed: args.seed.number,
        provider: identity.provider,
    };
    RunInfo {
        model_name: model.name.clone(),
        data_name: super::name_of(&args.data),
        clean_accuracy: model.correct.accuracy(),
        clean_correct: small(model.correct.counts()),
        clean_images: small(model.correct.images()),
        clean_answers: Some(model.answers.clone()),
        clean_queries: model.queries,
        notes: model.notes.clone(),
        ..RunInfo::new(provenance, perturbations)
    }
}

fn small(counts: Vec<usize>) -> Vec<u32> {
    counts.into_iter().map(|count| u32::try_from(count).unwrap_or(u32::MAX)).collect()
}

/// `runs/MODEL-KEY`. In earlier versions, the key included the parameters of the perturbations. An existing folder of
/// the same scan with such a key is continued.
fn default_folder(info: &RunInfo) -> PathBuf {
    // A program may call its model anything.
    let name: String = info
        .model_name
        .chars()
        .map(|c| if r#"/\:*?"<>|"#.contains(c) || c.is_control() { '-' } else { c })
        .take(64)
        .collect();
    let stem = Path::new(&name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = |key: &str| Path::new("runs").join(format!("{stem}-{}", &key[..12.min(key.len())]));
    let earlier = folder(&aeva_artifact::PairProvenance::new(&info.provenance, &info.perturbations).key());
    if earlier.is_dir() { earlier } else { folder(&info.key) }
}
