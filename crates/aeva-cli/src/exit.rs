//! Exit codes, and the one place where errors are printed.

use std::process::ExitCode;

use aeva_stats::Verdict;
use anstyle::{AnsiColor, Style};

use crate::hint;
use crate::output::{complain, plain};
use crate::signals::Signal;

/// How a command that worked ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Done; for a scan: the model is clean.
    Success,
    /// A backdoor is suspected.
    Backdoored,
    /// No verdict could be given.
    Inconclusive,
    /// Stopped by a signal; the same command continues.
    Interrupted(Signal),
}

impl From<&Verdict> for ExitStatus {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Clean => Self::Success,
            Verdict::Backdoored { .. } => Self::Backdoored,
            Verdict::Inconclusive { .. } => Self::Inconclusive,
        }
    }
}

/// 0 clean or done, 1 backdoor suspected, 2 error, 3 inconclusive, 130 interrupted; other signals end the process as they do.
pub(crate) fn code(result: anyhow::Result<ExitStatus>) -> ExitCode {
    match result {
        Ok(ExitStatus::Success) => ExitCode::SUCCESS,
        Ok(ExitStatus::Backdoored) => ExitCode::from(1),
        Ok(ExitStatus::Inconclusive) => ExitCode::from(3),
        Ok(ExitStatus::Interrupted(Signal::Interrupt)) => ExitCode::from(130),
        #[cfg(unix)]
        Ok(ExitStatus::Interrupted(Signal::Other(number))) => {
            // As it would have been without this program's care, for whoever waits for it; the first process of a container goes on.
            crate::signals::end_by(number);
            ExitCode::from(u8::try_from(128 + number as i32).unwrap_or(2))
        }
        Err(error) => {
            print(&error);
            ExitCode::from(2)
        }
    }
}

/// The model hangs where ONNX Runtime cannot stop it: says so, and ends.
pub(crate) fn unresponsive(what: &str) {
    let hint = "a model that is only slow can be given more time: --answer-timeout SECONDS";
    print(&hint::Hinted::error(format!("{what}; what was finished is kept"), hint));
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
