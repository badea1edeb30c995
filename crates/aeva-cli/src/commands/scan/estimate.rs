//! What a scan will take, before it does: queries, time and memory.

use std::time::Duration;

use aeva_artifact::Level;
use aeva_attack::trigger::Panel;
use serde::Serialize;

use crate::args::Lens;

/// What a scan takes, at least (unless the verdict is settled earlier) and at most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Estimate {
    /// Looks for triggers, not counting those that are looked at again.
    first_looks: usize,
    second_looks: usize,
    /// Searches of perturbations, where triggers leave it open.
    perturbation_searches: usize,
    pub(super) queries: (u64, u64),
    seconds: (f64, f64),
    queries_per_second: f64,
    /// Images, batches and triggers, without what ONNX Runtime takes for the model.
    memory_bytes: u64,
}

/// What an estimate is made from.
pub(super) struct Basis<'a> {
    pub(super) lens: Lens,
    /// Nothing where no triggers are looked for.
    pub(super) panel: Option<&'a Panel>,
    /// Image shape `[h, w, c]`.
    pub(super) shape: [usize; 3],
    pub(super) images: usize,
    pub(super) exhaustive: bool,
    /// Searches of perturbations and the queries that they take; none where they are not looked at.
    pub(super) perturbations: (usize, u64),
    pub(super) clean_queries: u64,
    pub(super) queries_per_second: f64,
    /// Images in all batches together.
    pub(super) under_way: usize,
}

/// Candidates that are kept at a time while a level is explored.
const CANDIDATES: usize = 300;

impl Estimate {
    pub(super) fn new(basis: &Basis<'_>) -> Self {
        let levels: Vec<Level> = Level::all(basis.shape);
        let searched = levels.iter().filter(|level| !level.family.is_random()).count();
        let (mut first_looks, mut second_looks, mut triggers) = (0, 0, (0, 0));
        if let Some(panel) = basis.panel {
            // A second look takes about as long as a first one; there is one at each level that is searched, and at single pixels.
            (first_looks, second_looks) = (levels.len(), searched + usize::from(Level::finest(basis.shape).is_some()));
            let look = panel.expected_queries();
            triggers = (searched as u64 * look, (searched + second_looks) as u64 * look);
        }
        let (perturbation_searches, perturbations) = basis.perturbations;
        let least = match (basis.lens, basis.exhaustive) {
            (Lens::Perturbation, _) => perturbations,
            (_, true) => triggers.1,
            (_, false) => triggers.0,
        };
        let queries = (basis.clean_queries + least, basis.clean_queries + triggers.1 + perturbations);
        let seconds = |queries: u64| queries as f64 / basis.queries_per_second.max(1e-9);
        let values: usize = basis.shape.iter().product();
        // f32; the triggers of all looks are kept, one a label and some pairs each.
        let images = basis.images + basis.under_way + if basis.panel.is_some() { CANDIDATES } else { 0 };
        let kept = basis.panel.map_or(0, |panel| (first_looks + second_looks) * (panel.classes() as usize + 29));
        Self {
            first_looks,
            second_looks,
            perturbation_searches,
            queries,
            seconds: (seconds(queries.0), seconds(queries.1)),
            queries_per_second: basis.queries_per_second,
            memory_bytes: 4 * (values as u64) * (images + kept) as u64,
        }
    }

    /// In words, for the terminal.
    pub(super) fn text(&self, model: &str) -> String {
        let (least, most) = self.queries;
        let looks = match (self.first_looks, self.perturbation_searches) {
            (0, searches) => format!("perturbations: {searches} searches"),
            (first, searches) => format!(
                "looks for triggers: {first}, and up to {} second ones; {}",
                self.second_looks,
                if searches == 0 {
                    "no perturbations".to_owned()
                } else {
                    format!("{searches} searches of perturbations where those leave it open")
                }
            ),
        };
        let lines = [
            format!("{model}: nothing was searched (--dry-run)"),
            looks,
            format!("queries: about {least} to {most}; fewer where the verdict is settled earlier"),
            format!(
                "time: about {} to {}, at {:.0} queries a second as measured on the clean images",
                duration(self.seconds.0),
                duration(self.seconds.1),
                self.queries_per_second
            ),
            format!(
                "memory: at most about {} MiB, and what the model itself takes",
                self.memory_bytes.div_ceil(1 << 20)
            ),
        ];
        lines.join("\n")
    }
}

/// A time in the unit that suits it.
fn duration(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    match time.as_secs() {
        0..=119 => format!("{seconds:.0} s"),
        120..=7199 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::*;
    use aeva_attack::CorrectImages;

    fn panel() -> Panel {
        let labels: Vec<u32> = (0..1000).map(|index| index % 10).collect();
        Panel::new(&CorrectImages::new(&labels, &labels, 10).unwrap())
    }

    fn estimate(lens: Lens, exhaustive: bool, perturbations: (usize, u64)) -> Estimate {
        let panel = panel();
        Estimate::new(&Basis {
            lens,
            panel: (lens != Lens::Perturbation).then_some(&panel),
            shape: [32, 32, 3],
            images: 1000,
            exhaustive,
            perturbations,
            clean_queries: 1000,
            queries_per_second: 1000.0,
            under_way: 64,
        })
    }

    #[test]
    fn an_estimate_covers_what_is_asked_for() {
        let plain = estimate(Lens::All, false, (180, 700_000));
        let alone = estimate(Lens::Trigger, false, (0, 0));
        let all = estimate(Lens::All, true, (180, 700_000));
        let perturbations = estimate(Lens::Perturbation, false, (180, 700_000));
        assert_eq!((plain.first_looks, plain.second_looks), (13, 9));
        assert_eq!(plain.queries.1 - alone.queries.1, 700_000);
        assert!(all.queries.0 > plain.queries.0 && all.queries.1 == plain.queries.1);
        assert_eq!((perturbations.first_looks, perturbations.queries), (0, (701_000, 701_000)));
        assert!((perturbations.seconds.0 - 701.0).abs() < 1e-9);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let times = [0.4, 90.0, 600.0, 7200.0, f64::INFINITY].map(duration);
        assert_eq!(times, ["0 s", "90 s", "10 min", "2.0 h", "inf h"]);
    }
}
