//! `aeva stats RUN`: the published outlier step on a run folder.

use aeva_artifact::RunDir;

use crate::args::StatsArgs;
use crate::exit::Ending;
use crate::output::show;
use crate::report;

pub(crate) fn run(args: &StatsArgs) -> anyhow::Result<Ending> {
    let run = RunDir::open(&args.run)?;
    let (report, verdict) = report::of_run(&run, report::earlier_seconds(&run))?;
    if args.json {
        show(&serde_json::to_string_pretty(&report)?)?;
    } else {
        show(&report::table(&report, run.path()))?;
    }
    Ok(Ending::from(&verdict))
}
