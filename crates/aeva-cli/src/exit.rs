//! Exit codes, and the only place that prints errors.

use std::process::ExitCode;

use aeva_stats::Verdict;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::hint;
use crate::output::{complain, plain};
use crate::signals::Signal;

/// How a successful command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Done; for a scan, the model is clean.
    Success,
    /// A backdoor is suspected.
    Backdoored,
    /// No verdict could be given.
    Inconclusive,
    /// A signal stopped it; the same command continues.
    Interrupted(Signal),
}

/// The mildest verdict that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A backdoor (exit code 1), and no verdict (3).
    Inconclusive,
    /// A backdoor alone (1).
    Backdoored,
}

impl ExitStatus {
    /// That of a verdict.
    pub(crate) fn of(verdict: &Verdict, fail_on: FailOn) -> Self {
        match verdict {
            Verdict::Clean => Self::Success,
            Verdict::Backdoored { .. } => Self::Backdoored,
            Verdict::Inconclusive { .. } if fail_on == FailOn::Backdoored => Self::Success,
            Verdict::Inconclusive { .. } => Self::Inconclusive,
        }
    }

    /// Whether a signal stopped it.
    pub(crate) fn is_interrupted(self) -> bool {
        matches!(self, Self::Interrupted(_))
    }
}

/// 0 clean or done, 1 backdoor suspected, 2 error, 3 inconclusive, 130 interrupted. Other signals end the process as
/// usual.
pub(crate) fn code(result: anyhow::Result<ExitStatus>) -> ExitCode {
    match result {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Backdoored) => ExitCode::from(1),
        Ok(ExitStatus::Inconclusive) => ExitCode::from(3),
        Ok(ExitStatus::Interrupted(Signal::Interrupt)) => ExitCode::from(130),
        #[cfg(unix)]
        Ok(ExitStatus::Interrupted(Signal::Other(number))) => {
            // The parent process sees the signal as if this program had not caught it. The first process of a container
            // survives it and continues below.
            crate::signals::end_by(number);
            ExitCode::from(u8::try_from(128 + number as i32).unwrap_or(2))
        }
        Err(error) => {
            print(&error);
            ExitCode::from(2)
        }
    }
}

/// Reports a model that hangs where ONNX Runtime cannot stop it, and ends the program.
pub(crate) fn unresponsive(what: &str) {
    let hint = "if the model is only slow, give it more time with --answer-timeout SECONDS";
    print(&hint::Hinted::error(format!("{what}; finished results are kept"), hint));
    crate::signals::end_with(2);
}

/// Prints an error with its causes and its hint.
pub(crate) fn print(error: &anyhow::Error) {
    let label = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
    let (red, cyan) = (label(AnsiColor::Red), label(AnsiColor::Cyan));
    complain(&format!("{red}error:{red:#} {}", plain(&error.to_string())));
    for cause in error.chain().skip(1) {
        complain(&format!("  {red}caused by:{red:#} {}", plain(&cause.to_string())));
    }
    if let Some(hint) = hint::of(error) {
        complain(&format!("{cyan}hint:{cyan:#} {hint}"));
    }
}
