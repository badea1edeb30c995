//! `aeva bench MODEL`: measures how fast the model answers, and how much of that speed a scan reaches.

mod measure;
mod subject;
mod table;

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use aeva_attack::{HardLabelOracle, HopSkipJumpBuilder, agreement, classify_all};
use aeva_stats::median;
use serde::Serialize;

use self::measure::{RawFigure, Scan};
use self::subject::Subject;
use crate::args::BenchArgs;
use crate::exit::ExitStatus;
use crate::output::show;

const SCHEMA_VERSION: u32 = 1;
/// Batch sizes for the raw throughput if a model takes any; otherwise those of the device are used.
const RAW_BATCHES: [usize; 4] = [1, 8, 32, 128];

/// The measurements, as printed by `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    schema_version: u32,
    model: String,
    /// Image shape `[h, w, c]`.
    image_shape: [usize; 3],
    classes: u32,
    device: String,
    provider: String,
    cores: usize,
    /// Sessions that run at the same time.
    workers: usize,
    batch_size: usize,
    /// The sweep over batch sizes and workers.
    raw: Vec<RawFigure>,
    /// Alternating measurements of raw and scan throughput.
    rounds: Vec<Round>,
    /// Median over the rounds, for all workers together.
    raw_images_per_second: f64,
    /// Median over the rounds.
    scan_queries_per_second: f64,
    /// Median of the rounds' ratios: the share of the raw throughput that a scan reaches.
    scan_to_raw_ratio: f64,
    /// Share of the workers' time that a scan spends in the model (median).
    scan_time_in_model: f64,
    noise: Noise,
    /// Whether a device other than the CPU agrees with the CPU.
    agreement: Option<DeviceAgreement>,
    notes: Vec<String>,
    seconds: f64,
}

/// One round: the same sessions, first on random batches, then in a scan.
#[derive(Debug, Clone, Copy, Serialize)]
struct Round {
    raw_images_per_second: f64,
    scan_queries_per_second: f64,
    ratio: f64,
    time_in_model: f64,
}

/// The cost of a query on one thread, apart from the model.
#[derive(Debug, Clone, Copy, Serialize)]
struct Noise {
    nanoseconds_per_value: f64,
    microseconds_per_image: f64,
    /// Noise, probes, sums and batches, measured on a black box that answers at once.
    search_microseconds_per_query: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct DeviceAgreement {
    /// Images with labels from both, and the number of equal labels.
    images: usize,
    images_alike: usize,
    /// Probes at boundary points, and the share on which both agree.
    probes: u32,
    share: f64,
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitStatus> {
    let begin = Instant::now();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = args.threads.map_or(cores, NonZero::get);
    let mut subject = Subject::load(args, threads)?;
    let spec = subject.model.spec;
    let params = args.preset.search(spec.values()).check()?;
    let batch = args.batch_size.map_or(subject.model.batch_rows, NonZero::get);
    let turn = Duration::from_secs_f64(args.seconds);

    let agreement = match &mut subject.model.reference {
        Some(reference) => {
            let (reference, device): (&mut dyn HardLabelOracle, &mut dyn HardLabelOracle) =
                (reference.as_mut(), subject.model.oracles[0].as_mut());
            let images = subject.images.view();
            let found = agreement(reference, device, images, &subject.plan, 0)?;
            let (expected, labels) = (classify_all(reference, images, batch)?, classify_all(device, images, batch)?);
            Some(DeviceAgreement {
                images: labels.len(),
                images_alike: labels.iter().zip(&expected).filter(|(label, expected)| label == expected).count(),
                probes: found.probes,
                share: found.share(),
            })
        }
        None => None,
    };
    tracing::info!("raw throughput of {} over batch sizes and workers", args.model().display());
    let mut raw = Vec::new();
    for workers in if threads > 1 { vec![1, subject.model.oracles.len()] } else { vec![1] } {
        for batch in subject.raw_batches(&RAW_BATCHES) {
            raw.push(measure::raw(&mut subject.model.oracles[..workers], batch, turn / 4)?);
        }
    }
    let run_size = subject.run_size();
    let mut rounds = Vec::new();
    for number in 1..=args.rounds.get() {
        let raw = measure::raw(&mut subject.model.oracles, run_size, turn)?.images_per_second;
        let scan = measure::scan(&mut subject, &params, batch, threads, turn)?;
        let Scan { queries_per_second, time_in_model } = scan;
        let ratio = queries_per_second / raw;
        tracing::info!(
            "round {number}: raw {raw:.0} images/s, scan {queries_per_second:.0} queries/s, ratio {ratio:.3}"
        );
        rounds.push(Round {
            raw_images_per_second: raw,
            scan_queries_per_second: queries_per_second,
            ratio,
            time_in_model,
        });
    }
    let nanoseconds_per_value = measure::noise(spec.values(), turn / 4);
    let over = |figure: fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<f64>>());
    let figures = Figures {
        schema_version: SCHEMA_VERSION,
        model: subject.model.name.clone(),
        image_shape: spec.shape(),
        classes: spec.classes,
        device: args.device.to_string(),
        provider: subject.model.identity.provider.clone(),
        cores,
        workers: subject.model.oracles.len(),
        batch_size: batch,
        raw,
        raw_images_per_second: over(|round| round.raw_images_per_second)?,
        scan_queries_per_second: over(|round| round.scan_queries_per_second)?,
        scan_to_raw_ratio: over(|round| round.ratio)?,
        scan_time_in_model: over(|round| round.time_in_model)?,
        rounds,
        noise: Noise {
            nanoseconds_per_value,
            microseconds_per_image: nanoseconds_per_value * spec.values() as f64 / 1000.0,
            search_microseconds_per_query: measure::search_overhead(&subject, &params, batch, turn / 2)?,
        },
        agreement,
        notes: subject.model.notes.clone(),
        seconds: begin.elapsed().as_secs_f64(),
    };
    show(&if args.json {
        serde_json::to_string_pretty(&figures)?
    } else {
        table::table(&figures, published(&figures))
    })?;
    Ok(ExitStatus::Success)
}

/// Queries of the published setting for this model.
fn published(figures: &Figures) -> f64 {
    let values = figures.image_shape.iter().product();
    let pairs = f64::from(figures.classes) * f64::from(figures.classes.saturating_sub(1));
    let each = HopSkipJumpBuilder::PUBLISHED.check().map_or(0, |params| params.expected_queries(values));
    40.0 * pairs * each as f64
}
