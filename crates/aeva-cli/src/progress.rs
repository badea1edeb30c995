//! Logs and progress, on stderr.

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aeva_attack::ScanObserver;
use indicatif::{ProgressState, ProgressStyle};
use tracing::level_filters::LevelFilter;
use tracing::{Span, info, info_span};
use tracing_indicatif::IndicatifLayer;
use tracing_indicatif::span_ext::IndicatifSpanExt;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::budget::Budget;
use crate::signals;

/// Without a terminal a line is logged this often.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Sends logs to stderr, above the progress bar. `RUST_LOG` overrides the level.
pub(crate) fn start_logging(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // ONNX Runtime's own log is for developers.
    let default = format!("warn,aeva_cli={level},aeva={level},aeva_attack={level},aeva_model={level},ort=error");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let bar = IndicatifLayer::new();
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(bar.get_stderr_writer())
        .with_ansi(ansi)
        .without_time()
        .with_target(verbose > 0)
        // A line that cannot be written is not worth an end.
        .log_internal_errors(false)
        .with_filter(filter);
    tracing_subscriber::registry().with(lines).with((!quiet).then_some(bar)).init();
}

/// Progress of a scan, in queries.
pub(crate) struct ScanProgress {
    span: Span,
    terminal: bool,
    begin: Instant,
    /// Queries that were answered before.
    kept: AtomicU64,
    /// Queries it takes at least, unless the verdict is settled earlier, and at most.
    expected: (u64, u64),
    done: AtomicU64,
    /// Milliseconds after `begin` at which the next line is due.
    next_line: AtomicU64,
    state: Mutex<State>,
    budget: Arc<Budget>,
}

/// What is being done, and what was found so far.
#[derive(Default)]
struct State {
    now: String,
    best: Option<(usize, f64)>,
}

impl ScanProgress {
    /// Starts the bar for a scan that takes `expected` queries, at least (unless the verdict is settled earlier) and at most, of which
    /// `kept` were answered before, within a budget.
    pub(crate) fn start(kept: u64, expected: (u64, u64), budget: Arc<Budget>) -> Self {
        let span = info_span!("scan");
        let template = "{bar:32} {human_pos} of {range} queries  {rate}  {left}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // A bar that cannot be drawn is no reason to stop a scan.
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
        // The bar is shown as long as its span is alive and has been entered once.
        span.in_scope(|| {});
        let progress = Self {
            span,
            terminal: std::io::stderr().is_terminal(),
            begin: Instant::now(),
            kept: AtomicU64::new(0),
            expected,
            done: AtomicU64::new(0),
            next_line: AtomicU64::new(millis(LINE_EVERY)),
            state: Mutex::default(),
            budget,
        };
        progress.known(kept);
        progress
    }

    /// Counts queries that were answered before, by an earlier run.
    pub(crate) fn known(&self, queries: u64) {
        self.kept.fetch_add(queries, Ordering::Relaxed);
        self.budget.count(queries);
        if self.terminal {
            self.span.pb_inc(queries);
        }
    }

    /// Says what is being done from now on.
    pub(crate) fn now(&self, what: &str) {
        let mut state = self.state();
        what.clone_into(&mut state.now);
        self.span.pb_set_message(&state.text());
    }

    /// Says to which label a trigger turned which share of the images; the best one is shown.
    pub(crate) fn best(&self, label: usize, share: f64) {
        let mut state = self.state();
        if state.best.is_none_or(|(_, best)| share > best) {
            state.best = Some((label, share));
        }
        self.span.pb_set_message(&state.text());
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
        match self.best {
            Some((label, share)) => format!("{}, so far at most {:.0} % to label {label}", self.now, 100.0 * share),
            None => self.now.clone(),
        }
    }
}

/// A range of numbers in words.
fn between(least: u64, most: u64) -> String {
    if most <= least { format!("about {least}") } else { format!("about {least} to {most}") }
}

/// How long it takes yet, at `rate` queries a second. Most scans end at the lower number or before.
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
        self.budget.count(queries);
        if self.terminal {
            self.span.pb_inc(queries);
        } else {
            self.line(done);
        }
    }

    fn stop(&self) -> bool {
        signals::stopping() || self.budget.is_spent()
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
    fn the_best_label_is_kept() {
        let budget = Arc::new(Budget::new(Some(100), Instant::now(), None, 10));
        let progress = ScanProgress::start(0, (10, 20), Arc::clone(&budget));
        progress.now("patch-03");
        assert_eq!(progress.state().text(), "patch-03");
        progress.best(4, 0.5);
        progress.best(7, 0.25);
        progress.now("patch-04");
        assert_eq!(progress.state().text(), "patch-04, so far at most 50 % to label 4");
        assert!(!progress.stop());
        progress.known(50);
        progress.classified(45);
        assert!(progress.stop() && budget.is_spent());
    }
}
