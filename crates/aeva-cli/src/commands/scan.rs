//! `aeva scan MODEL --data DATA`: from images to a verdict.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use aeva_artifact::{DataProvenance, ModelProvenance, PairArtifact, Provenance, RunDir, RunInfo, SEARCH_VERSION};
use aeva_attack::{HardLabelOracle, HopSkipJumpBuilder, HopSkipJumpParams, ScanEnd, ScanPlan, ScanSettings, scan};
use aeva_model::Dataset;
use anyhow::Context;

use super::model::{self, Understood};
use crate::args::{LabelSet, ScanArgs};
use crate::exit::Ending;
use crate::output::show;
use crate::progress::{self, ScanProgress};
use crate::report;

pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<Ending> {
    let begin = Instant::now();
    progress::catch_interrupts()?;
    let data = Dataset::load(&args.data)?;
    let params = params(args, data.image_shape().iter().product())?;
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let mut understood = model::load(&args.model, &args.input, &data, args.device, threads)?;
    tracing::info!(
        "{}: {} classes, clean accuracy {:.1} % on {} images",
        args.model.display(),
        understood.oracles[0].spec().classes,
        100.0 * understood.correct.accuracy(),
        data.labels.len()
    );
    for note in &understood.notes {
        tracing::warn!("{note}");
    }

    let plan = plan(args, &understood)?;
    model::check_precision(&mut understood, &data, args.device, &plan, args.seed)?;
    let info = describe(args, &data, &understood, &params);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&args.model, &info.key));
    let run = RunDir::open_or_create(&folder, info)?;
    let rest = unfinished(&run, &plan)?;
    let done = plan.pairs.len() - rest.pairs.len();
    if done > 0 {
        tracing::info!("{done} of {} pairs are already in {}", plan.pairs.len(), folder.display());
    }

    let earlier = if done > 0 { report::earlier_seconds(&run) } else { None };
    let end = search(args, &data, understood, &params, &rest, &run, threads)?;

    let seconds = begin.elapsed().as_secs_f64() + earlier.unwrap_or(0.0);
    let (report, verdict) = report::of_run(&run, Some(seconds))?;
    report::store(&run, &report)?;
    show(&if args.json { serde_json::to_string_pretty(&report)? } else { report::table(&report, run.path()) })?;
    if end == ScanEnd::Stopped {
        tracing::warn!("interrupted; start the same command again to continue");
        return Ok(Ending::Interrupted);
    }
    Ok(Ending::from(&verdict))
}

fn params(args: &ScanArgs, values: usize) -> anyhow::Result<HopSkipJumpParams> {
    let preset = args.preset.search(values);
    let builder = HopSkipJumpBuilder {
        iterations: args.iterations.map_or(preset.iterations, NonZero::get),
        initial_evaluations: args.initial_evaluations.map_or(preset.initial_evaluations, NonZero::get),
        query_budget: args.query_budget,
        ..preset
    };
    builder.check().context("the parameters cannot be used")
}

fn samples(args: &ScanArgs) -> u32 {
    args.samples.map_or(args.preset.samples(), NonZero::get)
}

fn plan(args: &ScanArgs, understood: &Understood) -> anyhow::Result<ScanPlan> {
    let classes = understood.oracles[0].spec().classes;
    let labels = |set: &Option<LabelSet>| set.as_ref().map_or_else(|| (0..classes).collect(), |set| set.0.clone());
    let (sources, targets) = (labels(&args.sources), labels(&args.targets));
    let samples = samples(args);
    let plan = ScanPlan::new(&understood.correct, &sources, &targets, samples)
        .with_context(|| format!("{} cannot be scanned with {}", args.model.display(), args.data.display()))?;
    for (class, &count) in understood.correct.counts().iter().enumerate() {
        let label = u32::try_from(class).unwrap_or(u32::MAX);
        if count < samples as usize && (sources.contains(&label) || targets.contains(&label)) {
            tracing::warn!("class {class} has {count} correct images for {samples} samples; it is scanned with those");
        }
    }
    Ok(plan)
}

/// The run, as `run.json` has it.
fn describe(args: &ScanArgs, data: &Dataset, understood: &Understood, params: &HopSkipJumpParams) -> RunInfo {
    let provenance = Provenance {
        search_version: SEARCH_VERSION,
        model: ModelProvenance {
            sha256: understood.file.sha256().to_owned(),
            classes: understood.oracles[0].spec().classes,
            preprocessing: understood.preprocessing.clone(),
        },
        data: DataProvenance { sha256: data.sha256(), images: data.labels.len() as u64 },
        search: params.provenance(),
        samples: samples(args),
        seed: args.seed,
        provider: understood.provider.clone(),
    };
    RunInfo {
        model_name: super::name_of(&args.model),
        data_name: super::name_of(&args.data),
        clean_accuracy: understood.correct.accuracy(),
        clean_queries: understood.queries,
        notes: understood.notes.clone(),
        ..RunInfo::new(provenance)
    }
}

fn default_folder(model: &Path, key: &str) -> PathBuf {
    let stem = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Path::new("runs").join(format!("{stem}-{}", &key[..12.min(key.len())]))
}

/// The part of the plan that the run folder does not hold yet. Damaged files are computed anew.
fn unfinished(run: &RunDir, plan: &ScanPlan) -> anyhow::Result<ScanPlan> {
    let mut pairs = Vec::new();
    for pair in &plan.pairs {
        match run.load(pair.source, pair.target) {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(error @ aeva_artifact::ArtifactError::Io { .. }) => return Err(error.into()),
            Err(error) => tracing::warn!("{:#}; it is computed anew", anyhow::Error::from(error)),
        }
        pairs.push(pair.clone());
    }
    Ok(ScanPlan { pairs })
}

fn search(
    args: &ScanArgs,
    data: &Dataset,
    understood: Understood,
    params: &HopSkipJumpParams,
    plan: &ScanPlan,
    run: &RunDir,
    threads: usize,
) -> anyhow::Result<ScanEnd> {
    if plan.pairs.is_empty() {
        return Ok(ScanEnd::Complete);
    }
    let mut oracles: Vec<Box<dyn HardLabelOracle>> = Vec::with_capacity(understood.oracles.len());
    let default = model::batch_rows(understood.oracles.first());
    for oracle in understood.oracles {
        oracles.push(Box::new(oracle));
    }
    let settings = ScanSettings {
        params: *params,
        provenance: run.info().provenance.clone(),
        batch_rows: args.batch_size.map_or(default, NonZero::get),
        threads,
    };
    let values = oracles[0].spec().values();
    let progress = ScanProgress::start(plan.searches() as u64 * params.expected_queries(values));
    let mut store = |pair: PairArtifact| run.store(&pair).map_err(Into::into);
    let end = scan(&mut oracles, data.images.view(), plan, &settings, &progress, &mut store)?;
    Ok(end)
}
