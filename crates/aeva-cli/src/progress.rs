//! Logs and progress, on stderr.

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// Without a terminal a line is logged this often.
const LINE_EVERY: Duration = Duration::from_secs(15);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

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
        .with_filter(filter);
    tracing_subscriber::registry().with(lines).with((!quiet).then_some(bar)).init();
}

/// From now on Ctrl-C asks scans to stop after the current batch; a second one ends the program.
///
/// # Errors
/// When the system does not allow a handler.
pub(crate) fn catch_interrupts() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })?;
    Ok(())
}

/// Progress of a scan, in queries.
pub(crate) struct ScanProgress {
    span: Span,
    terminal: bool,
    begin: Instant,
    expected: u64,
    done: AtomicU64,
    /// Milliseconds after `begin` at which the next line is due.
    next_line: AtomicU64,
}

impl ScanProgress {
    /// Starts the bar for a scan of about `expected` queries.
    pub(crate) fn start(expected: u64) -> Self {
        let span = info_span!("scan");
        let template = "{bar:32} {percent:>3} %  {human_pos} of about {human_len} queries  {rate}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // A bar that cannot be drawn is no reason to stop a scan.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            span.pb_set_style(&style.with_key("rate", rate));
        }
        span.pb_set_length(expected);
        // The bar is shown as long as its span is alive and has been entered once.
        span.in_scope(|| {});
        Self {
            span,
            terminal: std::io::stderr().is_terminal(),
            begin: Instant::now(),
            expected,
            done: AtomicU64::new(0),
            next_line: AtomicU64::new(millis(LINE_EVERY)),
        }
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
        let left = self.expected.saturating_sub(done) as f64 / rate.max(1.0);
        info!("{done} of about {} queries, {rate:.0} a second, about {left:.0} s left", self.expected);
    }
}

impl ScanObserver for ScanProgress {
    fn classified(&self, queries: u64) {
        let done = self.done.fetch_add(queries, Ordering::Relaxed) + queries;
        if self.terminal {
            self.span.pb_inc(queries);
        } else {
            self.line(done);
        }
    }

    fn stop(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
