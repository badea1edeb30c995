//! `aeva judge RUN`: judges a run folder again.

use aeva_artifact::RunDir;
use aeva_scan::{DecisionRule, Observations, Report, TriggerObservations};

use super::references;
use crate::args::{JudgeArgs, Rule};
use crate::exit::ExitStatus;
use crate::output::show;
use crate::report;

pub(crate) fn run(args: &JudgeArgs) -> anyhow::Result<ExitStatus> {
    let mut run = RunDir::open(&args.run)?;
    if let Some(key) = &args.perturbations {
        run = run.with_perturbations(key)?;
    }
    let classes = run.info().provenance.model.classes;
    let rule = match args.rule {
        Some(rule) => rule,
        None if TriggerObservations::of_store(&run, classes, &DecisionRule::DEFAULT)?.is_some() => Rule::Combined,
        None => Rule::Published,
    };
    let references = references::load(&args.reference, None)?;
    let references = references::for_model(references, &run.info().provenance.model.sha256);
    let rule = rule.decision(args.false_positive_rate, args.effort.effort())?.with_references(&references);
    let correct: Vec<usize> = run.info().clean_correct.iter().map(|&count| count as usize).collect();
    let seen = Observations::of_store(&run, classes, &correct, &rule)?;
    let assessment = seen.assess(&rule);
    let mut report = Report::new(run.info(), &seen, &assessment, &rule);
    report.seconds = report::earlier_seconds(&run);
    show(&report::render(&report, run.path(), args.output.format())?)?;
    Ok(ExitStatus::from(&assessment.verdict))
}
