//! `aeva judge RUN`: judges a run folder again.

use aeva_artifact::RunDir;

use crate::args::{JudgeArgs, Rule};
use crate::exit::Ending;
use crate::output::show;
use crate::report;

pub(crate) fn run(args: &JudgeArgs) -> anyhow::Result<Ending> {
    let run = RunDir::open(&args.run)?;
    let rule = match args.rule {
        Some(rule) => rule,
        None if report::has_triggers(&run)? => Rule::Combined,
        None => Rule::Published,
    };
    let rule = rule.decision(args.false_positive_rate, args.exhaustive);
    let (report, verdict) = report::of_run(&run, report::earlier_seconds(&run), &rule)?;
    if args.json {
        show(&serde_json::to_string_pretty(&report)?)?;
    } else {
        show(&report::table(&report, run.path()))?;
    }
    Ok(Ending::from(&verdict))
}
