//! Logs and progress, on stderr.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aeva_attack::ScanObserver;
use aeva_scan::Observer;
use aeva_stats::Tally;
use indicatif::{ProgressState, ProgressStyle};
use tracing::level_filters::LevelFilter;
use tracing::{Span, info, info_span};
use tracing_indicatif::IndicatifLayer;
use tracing_indicatif::span_ext::IndicatifSpanExt;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::signals;

/// Interval of the log lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(15);
/// Labels whose success is shown.
const SHOWN_LABELS: usize = 3;

/// Sends logs to stderr, above the progress bar. `RUST_LOG` overrides the verbosity.
pub(crate) fn start_logging(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // ONNX Runtime's own log is for its developers.
    let default = format!(
        "warn,aeva_cli={level},aeva={level},aeva_attack={level},aeva_endpoint={level},aeva_model={level},aeva_scan={level},ort=error"
    );
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let bar = IndicatifLayer::new();
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(bar.get_stderr_writer())
        .with_ansi(ansi)
        .without_time()
        .with_target(verbose > 0)
        // A log line that cannot be written is no reason to stop.
        .log_internal_errors(false)
        .with_filter(filter);
    // A layer that takes all levels would have every dependency write out what nobody reads.
    let bar = (!quiet).then_some(bar.with_filter(LevelFilter::INFO));
    tracing_subscriber::registry().with(lines).with(bar).init();
}

/// Progress of a scan, in queries. The bar appears with the first search: a scan without anything to search shows none.
pub(crate) struct ScanProgress {
    span: OnceLock<Span>,
    terminal: bool,
    begin: Instant,
    /// Queries of earlier runs.
    kept: AtomicU64,
    /// Expected queries, at least (unless the verdict is clear earlier) and at most.
    expected: (u64, u64),
    done: AtomicU64,
    /// Milliseconds after `begin` at which the next line is due.
    next_line: AtomicU64,
    state: Mutex<State>,
}

/// The current activity and the best results so far.
#[derive(Default)]
struct State {
    now: String,
    /// The highest success of each label.
    best: BTreeMap<usize, f64>,
}

impl ScanProgress {
    /// Progress of a scan that takes `expected` queries, at least (unless the verdict is clear earlier) and at most.
    pub(crate) fn new(expected: (u64, u64)) -> Self {
        Self {
            span: OnceLock::new(),
            terminal: std::io::stderr().is_terminal(),
            begin: Instant::now(),
            kept: AtomicU64::new(0),
            expected,
            done: AtomicU64::new(0),
            next_line: AtomicU64::new(millis(LINE_EVERY)),
            state: Mutex::default(),
        }
    }

    /// The bar, which is shown from now on.
    fn bar(&self) -> &Span {
        let expected = self.expected;
        self.span.get_or_init(|| {
            let span = info_span!("scan");
            let template = "{bar:32} {human_pos} of {range} queries  {rate}  {left}  {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                    // A bar that cannot be drawn is no reason to stop.
                    let _ = write!(out, "{:.0}/s", state.per_sec());
                };
                let range = move |_: &ProgressState, out: &mut dyn fmt::Write| {
                    let _ = write!(out, "{}", between(expected.0, expected.1));
                };
                let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
                    let _ = write!(out, "{}", time_left(state.pos(), expected, state.per_sec()));
                };
                span.pb_set_style(&style.with_key("rate", rate).with_key("range", range).with_key("left", left));
            }
            span.pb_set_length(expected.1);
            // The bar is visible while its span exists and has been entered once.
            span.in_scope(|| {});
            span.pb_inc(self.kept.load(Ordering::Relaxed));
            span
        })
    }

    fn advance(&self, queries: u64) {
        if self.terminal
            && let Some(span) = self.span.get()
        {
            span.pb_inc(queries);
        }
    }

    fn say(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        if let Some(span) = self.span.get() {
            span.pb_set_message(&state.text());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, done: u64) {
        let elapsed = self.begin.elapsed();
        let due = self.next_line.load(Ordering::Relaxed);
        let next = millis(elapsed + LINE_EVERY);
        if millis(elapsed) < due
            || self.next_line.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let rate = done as f64 / elapsed.as_secs_f64();
        let all = self.kept.load(Ordering::Relaxed) + done;
        let left = time_left(all, self.expected, rate);
        let range = between(self.expected.0, self.expected.1);
        info!("{all} of {range} queries, {rate:.0} a second, {left}; {}", self.state().text());
    }
}

impl State {
    fn text(&self) -> String {
        let mut best: Vec<(usize, f64)> = self.best.iter().map(|(&label, &share)| (label, share)).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let labels: Vec<String> = best
            .iter()
            .take(SHOWN_LABELS)
            .map(|(label, share)| format!("{:.0} % to label {label}", 100.0 * share))
            .collect();
        if labels.is_empty() { self.now.clone() } else { format!("{}; so far {}", self.now, labels.join(", ")) }
    }
}

/// A range of numbers in words.
fn between(least: u64, most: u64) -> String {
    if most <= least { format!("about {least}") } else { format!("about {least} to {most}") }
}

/// Remaining time at `rate` queries a second. Most scans end at the lower number or before.
fn time_left(done: u64, (least, most): (u64, u64), rate: f64) -> String {
    let seconds = |all: u64| format!("{:.0}", all.saturating_sub(done) as f64 / rate.max(1.0));
    match (done >= most, done >= least || least == most) {
        (true, _) => "about to end".to_owned(),
        (false, true) => format!("at most about {} s left", seconds(most)),
        (false, false) => format!("about {} to {} s left", seconds(least), seconds(most)),
    }
}

impl ScanObserver for ScanProgress {
    fn classified(&self, queries: u64) {
        let done = self.done.fetch_add(queries, Ordering::Relaxed) + queries;
        self.advance(queries);
        if !self.terminal {
            self.line(done);
        }
    }

    fn stop(&self) -> bool {
        signals::stopping()
    }
}

impl Observer for ScanProgress {
    fn begins(&self, what: &str) {
        self.bar();
        self.say(|state| what.clone_into(&mut state.now));
    }

    fn known(&self, queries: u64) {
        self.kept.fetch_add(queries, Ordering::Relaxed);
        self.advance(queries);
    }

    fn reached(&self, label: usize, success: Tally) {
        self.say(|state| {
            let best = state.best.entry(label).or_default();
            *best = best.max(success.rate());
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_a_range_until_it_is_known() {
        assert_eq!(time_left(0, (100, 400), 10.0), "about 10 to 40 s left");
        assert_eq!(time_left(150, (100, 400), 10.0), "at most about 25 s left");
        assert_eq!(time_left(20, (100, 100), 10.0), "at most about 8 s left");
        assert_eq!(time_left(500, (100, 400), 10.0), "about to end");
        assert_eq!((between(5, 5), between(5, 9)), ("about 5".to_owned(), "about 5 to 9".to_owned()));
    }

    #[test]
    fn the_best_labels_are_kept() {
        let progress = ScanProgress::new((10, 20));
        let tally = |hits| Tally::clamped(hits, 100);
        progress.begins("patch-03");
        assert_eq!(progress.state().text(), "patch-03");
        for (label, hits) in [(4, 50), (7, 25), (7, 10), (1, 25), (9, 5)] {
            progress.reached(label, tally(hits));
        }
        progress.begins("patch-04");
        let expected = "patch-04; so far 50 % to label 4, 25 % to label 1, 25 % to label 7";
        assert_eq!(progress.state().text(), expected);
        progress.known(50);
        progress.classified(45);
        assert_eq!((progress.kept.load(Ordering::Relaxed), progress.done.load(Ordering::Relaxed)), (50, 45));
    }
}
