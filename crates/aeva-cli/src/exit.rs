//! Exit codes, and the one place where errors are printed.

use std::process::ExitCode;

use aeva_stats::Verdict;
use anstream::eprintln;
use anstyle::{AnsiColor, Style};

use crate::hint;

/// How a command that worked ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Done; for a scan: the model is clean.
    Success,
    /// A backdoor is suspected.
    Backdoored,
    /// No verdict could be given.
    Inconclusive,
    /// Stopped by the user; the same command continues.
    Interrupted,
}

impl From<&Verdict> for Ending {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Clean => Self::Success,
            Verdict::Backdoored { .. } => Self::Backdoored,
            Verdict::Inconclusive { .. } => Self::Inconclusive,
        }
    }
}

/// 0 clean or done, 1 backdoor suspected, 2 error, 3 inconclusive, 130 interrupted.
pub(crate) fn code(result: anyhow::Result<Ending>) -> ExitCode {
    match result {
        Ok(Ending::Success) => ExitCode::SUCCESS,
        Ok(Ending::Backdoored) => ExitCode::from(1),
        Ok(Ending::Inconclusive) => ExitCode::from(3),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) => {
            print(&error);
            ExitCode::from(2)
        }
    }
}

fn print(error: &anyhow::Error) {
    let label = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
    let (red, cyan) = (label(AnsiColor::Red), label(AnsiColor::Cyan));
    eprintln!("{red}error:{red:#} {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  {red}caused by:{red:#} {cause}");
    }
    if let Some(hint) = hint::of(error) {
        eprintln!("{cyan}hint:{cyan:#} {hint}");
    }
}
