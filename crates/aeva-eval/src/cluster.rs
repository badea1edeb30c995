//! `cargo xtask cluster`: what the published setting costs with many labels, and how shares of it scale, on a simulated
//! cluster. The shares are those of the program; machines, queue and failures are made up.

use aeva_attack::HopSkipJumpBuilder;
use aeva_scan::Shard;
use anyhow::Context;
use xtask::process;

/// Samples of a pair in the published setting.
const SAMPLES: u64 = 40;
/// Values of an image of CIFAR-10.
const VALUES: usize = 32 * 32 * 3;
/// Numbers of machines.
const MACHINES: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const HOUR: f64 = 3600.0;
/// Losses of one machine in a simulation.
const MOST_LOSSES: u32 = 1_000_000;

/// What is assumed of machines and queue. Times in seconds.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Args {
    /// Images that the model of one machine classifies in a second.
    #[arg(long, default_value_t = 100_000.0)]
    rate: f64,
    /// Time from the start of a share to its first query: the model is loaded, and the clean images are classified.
    #[arg(long, default_value_t = 60.0)]
    start: f64,
    /// Time that a share waits in the queue, also after the loss of its machine.
    #[arg(long, default_value_t = 120.0)]
    wait: f64,
    /// Work that the loss of a machine costs: the journal is flushed so often.
    #[arg(long, default_value_t = 10.0)]
    lost: f64,
    /// How much faster the fastest machine is than the slowest.
    #[arg(long, default_value_t = 0.04)]
    spread: f64,
    /// Mean time between failures of a machine, in hours.
    #[arg(long, default_value_t = 500.0)]
    between_failures: f64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let params = HopSkipJumpBuilder::PUBLISHED.check()?;
    let of_pair = SAMPLES * params.expected_queries(VALUES);
    process::print(&costs(of_pair, args.rate));
    let mut table = vec!["| labels | machines | hours | of linear | lost machines | hours without losses |".to_owned()];
    table.push("| --- | --- | --- | --- | --- | --- |".to_owned());
    for labels in [10_u64, 43, 100, 1000] {
        let pairs = usize::try_from(labels * (labels - 1)).context("too many labels")?;
        let units = vec![of_pair; pairs];
        let mut alone = 0.0;
        for machines in MACHINES {
            let calm = Args { between_failures: f64::INFINITY, ..*args };
            let (undisturbed, _) = simulate(&units, machines, &calm)?;
            let (seconds, losses) = simulate(&units, machines, args)?;
            if machines == 1 {
                alone = undisturbed;
            }
            let of_linear = alone / undisturbed / f64::from(machines);
            table.push(format!(
                "| {labels} | {machines} | {:.2} | {of_linear:.3} | {losses} | {:.2} |",
                seconds / HOUR,
                undisturbed / HOUR
            ));
        }
    }
    process::print(&table.join("\n"));
    Ok(())
}

/// What all pairs cost.
fn costs(of_pair: u64, rate: f64) -> String {
    let mut lines = vec![
        format!("{of_pair} queries a pair of labels ({SAMPLES} samples), {rate} images a second and machine\n"),
        "| labels | pairs | queries | one machine | 8 machines | 64 machines |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for labels in [10_u64, 43, 100, 1000] {
        let pairs = labels * (labels - 1);
        let queries = pairs as f64 * of_pair as f64;
        let days = |machines: f64| format!("{:.2} days", queries / rate / machines / HOUR / 24.0);
        lines.push(format!("| {labels} | {pairs} | {queries:.1e} | {} | {} | {} |", days(1.0), days(8.0), days(64.0)));
    }
    lines.join("\n") + "\n"
}

/// Seconds until the last share of these units ends, and how many machines were lost.
fn simulate(units: &[u64], machines: u32, args: &Args) -> anyhow::Result<(f64, u32)> {
    // Of their own, so that machines are as fast with failures as without.
    let (mut speeds, mut failures) = (Random(u64::from(machines)), Random(u64::from(machines) << 32));
    let (mut last, mut losses) = (0.0_f64, 0);
    for number in 1..=machines {
        let shard = Shard::new(number, machines).context("no such share")?;
        let queries: u64 = units.iter().zip(shard.of_units(units)).filter(|(_, own)| *own).map(|(cost, _)| cost).sum();
        // The slowest machine has the stated rate.
        let rate = args.rate * (1.0 + args.spread * speeds.unit());
        let (mut time, mut left) = (args.wait, queries as f64 / rate);
        // Bounded in case of machines that fail at once.
        for _ in 0..MOST_LOSSES {
            let until_failure = -args.between_failures * HOUR * failures.unit().max(f64::MIN_POSITIVE).ln();
            if until_failure >= args.start + left {
                time += args.start + left;
                break;
            }
            losses += 1;
            let done = (until_failure - args.start - args.lost).max(0.0);
            left -= done;
            time += until_failure + args.wait;
        }
        last = last.max(time);
    }
    Ok((last, losses))
}

/// Random numbers (SplitMix64).
struct Random(u64);

impl Random {
    /// A number from 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;

    const ARGS: Args =
        Args { rate: 1000.0, start: 60.0, wait: 120.0, lost: 10.0, spread: 0.0, between_failures: f64::INFINITY };

    #[test]
    fn shares_scale_and_a_lost_machine_costs_its_start_again() {
        let units = [36_000_000_u64; 128];
        let hours = |machines: u32| simulate(&units, machines, &ARGS).unwrap().0 / HOUR;
        assert!((hours(1) - 128.0 * 10.0 - 0.05).abs() < 1e-9);
        assert!((hours(64) - 2.0 * 10.0 - 0.05).abs() < 1e-9);
        let failing = Args { between_failures: 100.0, ..ARGS };
        let (seconds, losses) = simulate(&units, 64, &failing).unwrap();
        assert!(losses > 0 && seconds / HOUR < hours(64) + f64::from(losses) * 0.06, "{losses}: {}", seconds / HOUR);
    }
}
