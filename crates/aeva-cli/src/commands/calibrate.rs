//! `aeva calibrate MODEL... --data DATA`: scans clean models, so that others can be compared with them.

use aeva_stats::CombinedRule;
use anyhow::Context;

use super::references;
use super::scan::{Purpose, scan};
use crate::args::{CalibrateArgs, ScanArgs};
use crate::exit::ExitStatus;
use crate::output::{plain, show};
use crate::signals;

pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitStatus> {
    signals::catch()?;
    for model in &args.models {
        let out = args.out.join(super::name_of(model));
        let status = scan(&ScanArgs::of_reference(model.clone(), args, out)?, Purpose::Reference)
            .with_context(|| format!("{} cannot serve as a reference", model.display()))?;
        if status.is_interrupted() {
            return Ok(status);
        }
    }
    let known = references::load(std::slice::from_ref(&args.out), None)?;
    let models = references::for_model(known, "");
    let mut lines = Vec::new();
    let mut labels: Vec<u32> = models.iter().map(|model| model.labels).collect();
    labels.sort_unstable();
    labels.dedup();
    for labels in labels {
        let own = models.iter().filter(|model| model.labels == labels).count();
        let null = CombinedRule::DEFAULT.with_references(&models).reference().null(labels as usize);
        lines.push(format!(
            "{own} clean models of {labels} labels in {}: with those that are built in, the smallest p-value is {:.3}",
            args.out.display(),
            null.floor()
        ));
    }
    lines.push(format!("compare a model with them: aeva scan MODEL --data DATA --reference {}", args.out.display()));
    show(&plain(&lines.join("\n")))?;
    Ok(ExitStatus::Success)
}
