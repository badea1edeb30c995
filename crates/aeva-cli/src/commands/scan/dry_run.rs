//! The expected cost of a scan, in words.

use std::time::Duration;

use aeva_scan::{EffortEstimate, Estimate};

use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{plain, show};
use crate::report::Format;

/// Prints the expected cost. An estimate is no report: formats of reports have nothing to render.
pub(super) fn print(estimate: &Estimate, model: &str, format: Format) -> anyhow::Result<ExitStatus> {
    show(&if format == Format::Json {
        serde_json::to_string_pretty(estimate)?
    } else {
        plain(&text(estimate, model))
    })?;
    Ok(ExitStatus::Success)
}

fn text(estimate: &Estimate, model: &str) -> String {
    let (least, most) = estimate.queries;
    let mut lines = vec![format!("{model}: nothing was searched (--dry-run)")];
    lines.extend(estimate.work.sentences());
    lines.extend([
        format!("queries: about {least} to {most}; fewer if the verdict is clear earlier"),
        format!(
            "time: about {} to {}, at {:.0} queries a second as measured on the clean images",
            duration(estimate.seconds.0),
            duration(estimate.seconds.1),
            estimate.queries_per_second
        ),
        format!("memory: at most about {} MiB, plus the model itself", estimate.memory_bytes.div_ceil(1 << 20)),
    ]);
    for EffortEstimate { effort, queries: (least, most), power } in &estimate.efforts {
        let queries = if least == most { least.to_string() } else { format!("{least} to {most}") };
        lines.push(format!("--effort {effort}: about {queries} queries; {power}"));
    }
    lines.join("\n")
}

/// Perturbations alone that are expected to take longer than this are not begun without a limit.
const LONGEST: Duration = Duration::from_hours(2);

/// Refuses a search for perturbations that would take hours, with its price and what to do instead.
pub(super) fn refuse_hours(estimate: &Estimate) -> anyhow::Result<()> {
    let (seconds, queries) = (estimate.seconds.0, estimate.queries.0);
    if Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) <= LONGEST {
        return Ok(());
    }
    Err(Hinted::error(
        format!(
            "the perturbations would take about {}: {queries} queries at {:.0} a second",
            duration(seconds),
            estimate.queries_per_second
        ),
        "search triggers (without --lens), which take far fewer queries; or some pairs of labels (--sources, --targets); or state --max-time, and the search goes as far as that allows",
    ))
}

/// A duration in a suitable unit.
fn duration(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    match time.as_secs() {
        0..=119 => format!("{seconds:.0} s"),
        120..=7199 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use aeva_scan::Work;

    use super::*;

    #[test]
    fn hours_are_refused_with_their_price() {
        let estimate = |seconds: f64| Estimate {
            work: Work::default(),
            queries: (320_000, 320_000),
            seconds: (seconds, seconds),
            queries_per_second: 44.0,
            memory_bytes: 0,
            efforts: Vec::new(),
        };
        assert!(refuse_hours(&estimate(7199.0)).is_ok());
        let refused = refuse_hours(&estimate(7273.0)).map_err(|error| error.to_string());
        assert_eq!(refused, Err("the perturbations would take about 2.0 h: 320000 queries at 44 a second".to_owned()));
        assert!(refuse_hours(&estimate(f64::INFINITY)).is_err());
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let times = [0.4, 90.0, 600.0, 7200.0, f64::INFINITY].map(duration);
        assert_eq!(times, ["0 s", "90 s", "10 min", "2.0 h", "inf h"]);
    }
}
