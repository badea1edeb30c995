//! Measures how much of a device's throughput a scan uses. The device is simulated: it computes one batch at a time,
//! takes a given time per image, and needs no processor meanwhile. The figures show whether batches are written and
//! read while others are computed.
//!
//! ```text
//! cargo run -p aeva-attack --example simulated_device -- MICROSECONDS_PER_IMAGE BATCH_ROWS WORKERS THREADS SECONDS
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its figures")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aeva_attack::perturbation::{Answers, PairPlan, PerturbationPlan, PerturbationSettings, search};
use aeva_attack::{CorrectImages, HardLabelOracle, HopSkipJumpBuilder, InputSpec, Label, OracleError, ScanObserver};
use ndarray::{Array4, ArrayView4};

const SPEC: InputSpec = InputSpec { height: 32, width: 32, channels: 3, classes: 10 };

/// A session on the device. Labels follow the bits of one pixel, so that searches take all branches.
struct Session<'a> {
    device: &'a Mutex<()>,
    time_per_image: Duration,
}

fn label(row: &[f32]) -> Label {
    (row[row.len() / 2].to_bits() >> 3) % SPEC.classes
}

impl HardLabelOracle for Session<'_> {
    fn spec(&self) -> &InputSpec {
        &SPEC
    }

    fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
        labels.clear();
        labels.extend(batch.as_slice().unwrap_or_default().chunks(SPEC.values()).map(label));
        let _busy = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        thread::sleep(self.time_per_image.mul_f64(labels.len() as f64));
        Ok(())
    }
}

struct Watch {
    begin: Instant,
    time: Duration,
    queries: AtomicU64,
}

impl ScanObserver for Watch {
    fn classified(&self, queries: u64) {
        self.queries.fetch_add(queries, Ordering::Relaxed);
    }

    fn stop(&self) -> bool {
        self.begin.elapsed() >= self.time
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<f64> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let &[microseconds, batch_rows, workers, threads, seconds] = &args[..] else {
        return Err("usage: simulated_device MICROSECONDS_PER_IMAGE BATCH_ROWS WORKERS THREADS SECONDS".into());
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts from the command line")]
    let (batch_rows, workers, threads) = (batch_rows as usize, workers as usize, threads as usize);
    let images = Array4::from_shape_fn((400, 32, 32, 3), |(n, h, w, c)| {
        ((n * 7919 + h * 131 + w * 17 + c) as f32 * 0.618_034).fract()
    });
    let pixels = images.as_slice().unwrap_or_default();
    let labels: Vec<Label> = pixels.chunks(SPEC.values()).map(label).collect();
    let there = labels.iter().copied().collect();
    let plan = PerturbationPlan::new(&CorrectImages::new(&labels, &labels, SPEC.classes)?, &there, &there, 40)?;
    // The pairs are repeated so that the measurement ends before the plan does.
    let pairs: Vec<PairPlan> = plan.pairs.iter().cycle().take(100 * plan.pairs.len()).cloned().collect();
    let params = HopSkipJumpBuilder::PUBLISHED.check()?;
    let device = Mutex::new(());
    let time_per_image = Duration::from_secs_f64(microseconds / 1e6);
    let mut oracles: Vec<Box<dyn HardLabelOracle + '_>> = Vec::new();
    for _ in 0..workers {
        oracles.push(Box::new(Session { device: &device, time_per_image }));
    }
    let watch = Watch { begin: Instant::now(), time: Duration::from_secs_f64(seconds), queries: AtomicU64::new(0) };
    let at_least_one = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
    let (batch_rows, threads) = (at_least_one(batch_rows), at_least_one(threads));
    let settings = PerturbationSettings { params, seed: 0, batch_rows, threads };
    let plan = PerturbationPlan { pairs };
    search(&mut oracles, images.view(), &plan, &settings, &mut Answers::new(), &watch, &mut |_| Ok(()))?;
    let rate = watch.queries.load(Ordering::Relaxed) as f64 / watch.begin.elapsed().as_secs_f64();
    let device_rate = 1e6 / microseconds;
    println!("device {device_rate:.0} images/s, scan {rate:.0} queries/s, ratio {:.3}", rate / device_rate);
    Ok(())
}
