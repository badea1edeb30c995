//! `aeva stats RUN`: the published outlier step on a run folder.

use aeva_artifact::RunDir;
use anstream::println;

use crate::args::StatsArgs;
use crate::exit::Ending;
use crate::report;

pub(crate) fn run(args: &StatsArgs) -> anyhow::Result<Ending> {
    let run = RunDir::open(&args.run)?;
    let (report, verdict) = report::of_run(&run, report::earlier_seconds(&run))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report::print(&report, run.path());
    }
    Ok(Ending::from(&verdict))
}
