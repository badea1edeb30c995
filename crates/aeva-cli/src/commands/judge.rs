//! `aeva judge RUN` judges a run folder again, and `aeva report RUN` writes its page again.

use std::path::Path;

use aeva_artifact::RunDir;
use aeva_report::ClassNames;
use aeva_scan::{DecisionRule, Observations, Report, TriggerObservations};
use aeva_stats::Verdict;

use super::references;
use crate::args::{JudgeArgs, Rule};
use crate::effort::EffortChoice;
use crate::exit::ExitStatus;
use crate::hint::Hinted;
use crate::output::{plain, show};
use crate::report;

pub(crate) fn run(args: &JudgeArgs) -> anyhow::Result<ExitStatus> {
    let Judged { run, report, verdict, names, .. } = judge(args)?;
    show(&report::render(&report, &names, &run, args.output.format())?)?;
    Ok(ExitStatus::of(&verdict, args.output.fail_on))
}

pub(crate) fn report(args: &JudgeArgs) -> anyhow::Result<ExitStatus> {
    let Judged { run, mut report, seen, names, .. } = judge(args)?;
    // A scan at another effort or rate may have said something else, which must not be overwritten unnoticed.
    if let Some(earlier) = report::earlier_verdict(&run).filter(|earlier| earlier != report.verdict) {
        return Err(Hinted::error(
            format!(
                "the report of {} says {}, and these options say {}",
                args.run.display(),
                plain(&earlier),
                report.verdict
            ),
            "give the --effort, --rule, --reference and --false-positive-rate of the scan",
        ));
    }
    report::store(&run, &mut report, &seen)?;
    let page = report::store_page(&run, &report, &names)?;
    show(&plain(&page.display().to_string()))?;
    Ok(ExitStatus::Success)
}

/// A run folder, judged.
pub(super) struct Judged {
    run: RunDir,
    seen: Observations,
    pub(super) report: Report,
    pub(super) verdict: Verdict,
    pub(super) names: ClassNames,
}

/// Judges a run folder with the defaults.
pub(super) fn judge_folder(run: &Path, effort: EffortChoice) -> anyhow::Result<Judged> {
    judge(&JudgeArgs { effort, ..JudgeArgs::of_run(run.to_owned())? })
}

fn judge(args: &JudgeArgs) -> anyhow::Result<Judged> {
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
    report::count_others(&run, &mut report, 0);
    let names = report::class_names(&run, args.output.class_names.as_deref(), None)?;
    Ok(Judged { run, seen, report, verdict: assessment.verdict, names })
}
