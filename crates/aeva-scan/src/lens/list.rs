//! The list of all lenses, and what has a part for each of them.

use std::path::Path;

use aeva_artifact::{ArtifactError, RunInfo};
use aeva_attack::PlanError;
use aeva_attack::perturbation::QueryCounts;
use aeva_attack::trigger::ImageSplit;
use aeva_stats::{LensEvidence, PublishedDecision, Reason};
use serde::Serialize;

use super::left_out::LeftOut;
use super::perturbation::{
    PerturbationObservations, PerturbationReport, PerturbationStore, PerturbationWork, Perturbations,
};
use super::trigger::{Passes, TriggerObservations, TriggerReport, TriggerStore, TriggerWork, Triggers};
use super::{Cost, Judging, Lens, Planning, Reporting, Shared};
use crate::rule::DecisionRule;
use crate::session::{End, Ended, Failure, Session};
use crate::shard::Shard;

/// Makes all that has a part for each lens from the list of lenses: type of the lens, name of its part, and the types of
/// its parts.
macro_rules! lenses {
    ($(
        $(#[$meaning:meta])*
        $Lens:ident $name:ident {
            work: $work:ty,
            store: $store:ident,
            seen: $seen:ty,
            evidence: $evidence:ty,
            queries: $(#[$queries_as:meta])* $queries:ty,
            report: $(#[$report_as:meta])* $report:ty,
        }
    )+) => {
        /// The name of a lens.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LensName {
            $($(#[$meaning])* $Lens,)+
        }

        impl LensName {
            /// All lenses, in the order in which a scan uses them.
            pub const ALL: &[Self] = &[$(Self::$Lens),+];

            /// The value of the option `--lens`.
            pub fn option(self) -> &'static str {
                match self {
                    $(Self::$Lens => $Lens::OPTION,)+
                }
            }

            /// The value of this option in earlier versions.
            pub fn earlier_option(self) -> &'static str {
                match self {
                    $(Self::$Lens => $Lens::EARLIER_OPTION,)+
                }
            }

            /// What it searches, for use in sentences.
            pub fn searched(self) -> &'static str {
                match self {
                    $(Self::$Lens => $Lens::SEARCHED,)+
                }
            }

            /// What it searches, as a sentence for the help.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$Lens => $Lens::HELP,)+
                }
            }
        }

        /// The work that a scan involves.
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        pub struct Work {
            $(
                $(#[$meaning])*
                #[serde(flatten)]
                pub $name: $work,
            )+
        }

        impl Work {
            /// The same in words, one sentence for each lens that has work.
            pub fn sentences(&self) -> Vec<String> {
                let each = [$($Lens::describe(&self.$name)),+];
                each.into_iter().flatten().collect()
            }
        }

        /// Stores the results of a scan. Each store belongs to one model, one data set and one seed.
        ///
        /// A damaged file is an error. A scan then warns and searches again; judging fails.
        pub trait Store: $($store +)+ {
            /// The folder of the results, if there is one.
            fn folder(&self) -> Option<&Path>;

            /// Notes that the results cannot be relied on, and why, so that nobody uses them again.
            ///
            /// # Errors
            /// If it cannot be written.
            fn refuse(&mut self, why: &str) -> Result<(), ArtifactError> {
                let _ = why;
                Ok(())
            }
        }

        /// A store in memory, for scans that will not be resumed.
        #[derive(Debug, Clone, Default)]
        pub struct MemoryStore {
            $(pub(super) $name: <$Lens as Lens>::Memory,)+
        }

        /// The results in a store that count under a rule.
        #[derive(Debug, Clone, Default)]
        pub struct Observations {
            $($(#[$meaning])* pub $name: $seen,)+
            /// `[class]` -> its hold-out images; empty if unknown.
            pub holdout: Vec<usize>,
        }

        impl Observations {
            /// Reads what counts under `rule` from `store`. The model has `classes` labels; `correct` is the number of
            /// correctly classified images of each (empty if unknown).
            ///
            /// # Errors
            /// If something in the store is damaged or foreign.
            pub fn of_store(
                store: &dyn Store,
                classes: u32,
                correct: &[usize],
                rule: &DecisionRule,
            ) -> Result<Self, ArtifactError> {
                let nothing = Self { holdout: ImageSplit::holdout_of(correct), ..Self::default() };
                nothing.with_stored(store, classes, rule)
            }

            /// Adds what else `store` holds.
            pub(crate) fn with_stored(
                self,
                store: &dyn Store,
                classes: u32,
                rule: &DecisionRule,
            ) -> Result<Self, ArtifactError> {
                Ok(Self {
                    $($name: $Lens::observe(self.$name, store, classes, rule)?,)+
                    holdout: self.holdout,
                })
            }

            /// What of it is judged.
            pub fn evidence(&self, rule: &DecisionRule) -> Evidence<'_> {
                Evidence {
                    $($name: $Lens::evidence(&self.$name, rule),)+
                    holdout: (!self.holdout.is_empty()).then_some(&self.holdout),
                }
            }

            /// Images classified for it.
            pub(crate) fn queries(&self) -> LensQueries {
                LensQueries { $($name: $Lens::queries(&self.$name),)+ }
            }

            pub(crate) fn report(&self, reporting: &Reporting<'_>) -> LensReports {
                LensReports { $($name: $Lens::report(&self.$name, reporting),)+ }
            }

            pub(crate) fn notes(&self, run: &RunInfo) -> Vec<String> {
                [$($Lens::notes(&self.$name, run)),+].concat()
            }
        }

        /// The evidence of a scan; none by default.
        #[derive(Debug, Clone, Copy, Default)]
        pub struct Evidence<'a> {
            $($(#[$meaning])* /// `None` if the lens was not used.
            pub $name: Option<&'a $evidence>,)+
            /// `[class]` -> its hold-out images; used if no pass shows them. `None` if unknown.
            pub holdout: Option<&'a [usize]>,
        }

        impl Evidence<'_> {
            /// The evidence of every lens that can decide.
            pub(crate) fn weigh(&self, judging: &Judging<'_>) -> Vec<LensEvidence> {
                let each = [$(self.$name.and_then(|evidence| $Lens::weigh(evidence, judging))),+];
                each.into_iter().flatten().collect()
            }

            /// Why no lens can decide.
            pub(crate) fn undecided(&self) -> Option<Reason> {
                let each = [$(self.$name.and_then($Lens::undecided)),+];
                each.into_iter().flatten().next()
            }

            /// What a clean verdict still needs.
            pub(crate) fn missing(&self, judging: &Judging<'_>) -> Option<Reason> {
                let each = [$($Lens::missing(self.$name, judging)),+];
                each.into_iter().flatten().next()
            }
        }

        /// Queries by lens.
        #[derive(Debug, Clone, Serialize)]
        pub struct LensQueries {
            $($(#[$meaning])* $(#[$queries_as])* pub $name: $queries,)+
        }

        impl LensQueries {
            /// Their sum.
            pub fn total(&self) -> u64 {
                [$($Lens::total(&self.$name)),+].into_iter().fold(0, u64::saturating_add)
            }
        }

        /// What the lenses have to report.
        #[derive(Debug, Clone, Serialize)]
        pub struct LensReports {
            $($(#[$meaning])* $(#[$report_as])* pub $name: $report,)+
        }

        /// What there is to search through each lens.
        #[derive(Debug)]
        pub(crate) struct Plans {
            $(pub(crate) $name: Option<<$Lens as Lens>::Plan>,)+
        }

        impl Plans {
            /// Plans the lens that is asked for alone, or all of them. In addition to others, a lens may be left out.
            pub(crate) fn new(
                planning: &Planning<'_>,
                alone: Option<LensName>,
            ) -> Result<(Self, Vec<(LensName, LeftOut)>), PlanError> {
                let mut left_out = Vec::new();
                let mut or_left_out = |lens, why| left_out.push((lens, why));
                let plans = Self {
                    $($name: match alone {
                        None => planned::<$Lens>(planning).unwrap_or_else(|why| {
                            or_left_out(LensName::$Lens, why);
                            None
                        }),
                        Some(LensName::$Lens) => $Lens::plan(planning)?,
                        Some(_) => None,
                    },)+
                };
                Ok((plans, left_out))
            }

            /// No searches.
            pub(crate) fn none() -> Self {
                Self { $($name: None,)+ }
            }

            /// What the plans involve, and what each of them costs, in the order of the scan.
            pub(crate) fn work(&self) -> (Work, Vec<Cost>) {
                let (mut work, mut costs) = (Work::default(), Vec::new());
                $(
                    if let Some(plan) = &self.$name {
                        let (own, cost) = $Lens::work(plan);
                        work.$name = own;
                        costs.push(cost);
                    }
                )+
                (work, costs)
            }

            /// Leaves alone what this share has. All lenses are divided together, so that shares are even.
            pub(crate) fn share(&mut self, shard: Shard) {
                let mut costs = Vec::new();
                $(
                    costs.extend(self.$name.as_ref().map_or_else(Vec::new, $Lens::units));
                )+
                let own = shard.of_units(&costs);
                let mut rest = &own[..];
                $(
                    if let Some(plan) = &mut self.$name {
                        let (units, others) = rest.split_at($Lens::units(plan).len());
                        $Lens::keep(plan, units);
                        rest = others;
                    }
                )+
                debug_assert!(rest.is_empty(), "all units are given out");
            }

            /// What the plans have when they are a share.
            pub(crate) fn shared(&self) -> Shared {
                let mut all = Shared::default();
                $(
                    if let Some(plan) = &self.$name {
                        let Shared { passes, pairs } = $Lens::shared(plan);
                        all.passes.extend(passes);
                        all.pairs.extend(pairs);
                    }
                )+
                all
            }

            /// Runs the searches in their order, until one is stopped.
            pub(crate) fn run(
                &self,
                session: &mut Session<'_, '_>,
                store: &mut dyn Store,
                seen: Observations,
            ) -> Result<Progress, Failure> {
                let mut progress = Progress { seen, ended: Ended { end: End::Complete, searched: false } };
                $(
                    if let Some(plan) = &self.$name
                        && progress.ended.end == End::Complete
                    {
                        let (ended, own) = $Lens::run(plan, session, store)?;
                        progress.seen.$name = own;
                        progress.add(ended);
                    }
                )+
                Ok(progress)
            }
        }
    };
}

lenses! {
    /// The trigger passes.
    Triggers triggers {
        work: TriggerWork,
        store: TriggerStore,
        seen: Option<TriggerObservations>,
        evidence: Passes,
        queries: u64,
        report: Option<TriggerReport>,
    }
    /// The perturbations.
    Perturbations perturbations {
        work: PerturbationWork,
        store: PerturbationStore,
        seen: PerturbationObservations,
        evidence: PublishedDecision,
        queries: #[serde(flatten)] QueryCounts,
        report: #[serde(flatten)] PerturbationReport,
    }
}

/// What a scan has done so far.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) seen: Observations,
    pub(crate) ended: Ended,
}

impl Progress {
    fn add(&mut self, Ended { end, searched }: Ended) {
        self.ended = Ended { end, searched: self.ended.searched | searched };
    }
}

/// The plan of a lens that is used in addition to others.
fn planned<L: Lens>(planning: &Planning<'_>) -> Result<Option<L::Plan>, LeftOut> {
    let plan = L::plan(planning).map_err(LeftOut::Plan)?;
    plan.as_ref().map_or(Ok(()), L::check_cost)?;
    Ok(plan)
}
