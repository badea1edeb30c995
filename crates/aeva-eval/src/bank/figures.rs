//! The figures of a bank: `bank.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use aeva_scan::Effort;
use aeva_stats::Verdict;
use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, HEAD};
use super::index::Truth;
use super::judged::Judged;
use super::looks::{self, Look};
use crate::evaluate::measures::{auc, share_interval};

/// Version of the form of `bank.json`.
const SCHEMA_VERSION: u32 = 6;
/// The name of the row of all models.
const ALL: &str = "all";
/// The owner of the models that `cargo xtask train-zoo` trains.
const ZOO: &str = "zoo";
/// The names of the rows by maker.
const OTHERS: &str = "other people";
const OURS: &str = "this project, for the purpose";

/// `bank.json`. It has no names of models: they are those of other people.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    schema_version: u32,
    seeds: Vec<u64>,
    /// Each model judged by those of other origins.
    origin_left_out: Outcome,
    /// Each model judged by those of other data sets.
    dataset_left_out: Outcome,
    /// The verdicts of scans by effort, each model judged by those of other origins.
    efforts: Vec<Group>,
    /// What scans have decided after so many queries, each model judged by those of other origins.
    power: Vec<Decided>,
    /// What the rest of a scan turns after each exploring pass, each model judged by those of other origins.
    looks: Vec<Look>,
    /// The numbers of the test, fitted to all clean models.
    calibration: Calibration,
}

/// The verdicts on all models.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    /// The models of other people, then those of the zoo.
    makers: Vec<Group>,
    /// One entry a data set, then one for all models.
    datasets: Vec<Group>,
    /// One entry a kind of attack.
    attacks: Vec<Attack>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Group {
    name: String,
    clean: Verdicts,
    infected: Verdicts,
    /// Verdicts infected models whose first suspect is the target label, of those that have one.
    right_label: [usize; 2],
    auc: Option<f64>,
    /// Medians.
    queries_clean: Option<u64>,
    queries_infected: Option<u64>,
}

/// How many scans call their model backdoored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Verdicts {
    scans: usize,
    /// Their owners. Models of one owner are not independent, so the interval counts owners.
    owners: usize,
    flagged: usize,
    inconclusive: usize,
    /// 95 % interval of the share that is flagged.
    interval: Option<[f64; 2]>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Attack {
    name: String,
    scans: usize,
    flagged: usize,
}

impl Outcome {
    fn new(judged: &[Judged]) -> Self {
        let mut by_dataset: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
        let mut attacks: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for one in judged {
            by_dataset.entry(&one.model.dataset).or_default().push(one);
            if let Truth::Infected { attack, .. } = &one.model.truth {
                let [models, flagged] = attacks.entry(attack).or_default();
                *models += 1;
                *flagged += usize::from(one.is_flagged());
            }
        }
        let mut datasets: Vec<Group> = by_dataset.into_iter().map(|(name, models)| Group::new(name, &models)).collect();
        datasets.push(Group::new(ALL, &judged.iter().collect::<Vec<_>>()));
        let (ours, others): (Vec<&Judged>, Vec<&Judged>) = judged.iter().partition(|one| one.model.owner == ZOO);
        let makers = [(OTHERS, others), (OURS, ours)].into_iter().filter(|(_, models)| !models.is_empty());
        let makers = makers.map(|(name, models)| Group::new(name, &models)).collect();
        let attack = |(name, [scans, flagged]): (&str, [usize; 2])| Attack { name: name.to_owned(), scans, flagged };
        Self { makers, datasets, attacks: attacks.into_iter().map(attack).collect() }
    }
}

impl Figures {
    pub(super) fn new(
        origin_left_out: &[Judged],
        dataset_left_out: &[Judged],
        screened: &[Judged],
        looks: Vec<Look>,
        calibration: Calibration,
        seeds: &[u64],
    ) -> Self {
        let efforts = [(Effort::Screen, screened), (Effort::Standard, origin_left_out)];
        let efforts = efforts.map(|(effort, judged)| Group::new(effort.name(), &judged.iter().collect::<Vec<_>>()));
        let power = decided(origin_left_out);
        let [origin_left_out, dataset_left_out] = [origin_left_out, dataset_left_out].map(Outcome::new);
        Self {
            schema_version: SCHEMA_VERSION,
            seeds: seeds.to_vec(),
            origin_left_out,
            dataset_left_out,
            efforts: efforts.into(),
            power,
            looks,
            calibration,
        }
    }

    /// The figures in these bytes.
    ///
    /// # Errors
    /// When they are none of this version.
    pub(crate) fn from_json(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let found = serde_json::from_slice::<Version>(text)?.schema_version;
        anyhow::ensure!(found == SCHEMA_VERSION, "it has version {found}, expected {SCHEMA_VERSION}");
        Ok(serde_json::from_slice(text)?)
    }

    /// What scans have decided after so many queries.
    pub(crate) fn power(&self) -> &[Decided] {
        &self.power
    }

    /// The verdicts of scans by effort, as a table.
    pub(crate) fn efforts(&self) -> String {
        let mut text = "| effort | infected, called backdoored | clean, called backdoored | queries of infected models | of clean ones |\n| --- | --- | --- | --- | --- |\n".to_owned();
        let share = |verdicts: &Verdicts| {
            let share = 100.0 * verdicts.flagged as f64 / verdicts.scans.max(1) as f64;
            format!("{} of {} ({share:.0} %)", verdicts.flagged, verdicts.scans)
        };
        for Group { name, clean, infected, queries_clean, queries_infected, .. } in &self.efforts {
            let [infected, clean] = [infected, clean].map(share);
            let [of_infected, of_clean] = [queries_infected, queries_clean].map(|queries| count(*queries));
            let _ = writeln!(text, "| `{name}` | {infected} | {clean} | {of_infected} | {of_clean} |");
        }
        text
    }

    /// What the rest of a scan turns, as a table.
    pub(crate) fn looks(&self) -> String {
        looks::markdown(&self.looks)
    }

    /// `effort/table.rs` of `aeva-scan`.
    pub(crate) fn power_in_rust(&self) -> String {
        let mut text = format!("{HEAD}use super::{{Look, Power}};\n\n");
        for Group { name, clean, infected, .. } in &self.efforts {
            let _ = writeln!(
                text,
                "pub(super) const {}: Power = Power {{ infected: [{}, {}], clean: [{}, {}] }};",
                name.to_uppercase(),
                infected.flagged,
                infected.scans,
                clean.flagged,
                clean.scans
            );
        }
        text + &looks::in_rust(&self.looks)
    }

    /// The numbers of the test.
    pub(crate) fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The figures as tables.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.summary();
        text.push_str(
            "\n| data set | scans of clean models (origins) | flagged | interval | data set left out | inconclusive | queries |\n",
        );
        text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
        let without = |name: &str| self.dataset_left_out.datasets.iter().find(|group| group.name == name);
        for group in self.origin_left_out.datasets.iter().filter(|group| group.clean.scans > 0) {
            let Group { name, clean, .. } = group;
            let _ = writeln!(
                text,
                "| {name} | {} ({}) | {} | {} | {} | {} | {} |",
                clean.scans,
                clean.owners,
                clean.flagged,
                interval(clean),
                without(name).map_or(0, |group| group.clean.flagged),
                clean.inconclusive,
                count(group.queries_clean),
            );
        }
        text.push_str("\n| data set | scans of infected models (origins) | flagged | interval | data set left out | right label | AUC | queries |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        for group in self.origin_left_out.datasets.iter().filter(|group| group.infected.scans > 0) {
            let Group { name, infected, right_label: [right, named], .. } = group;
            let _ = writeln!(
                text,
                "| {name} | {} ({}) | {} | {} | {} | {right} of {named} | {} | {} |",
                infected.scans,
                infected.owners,
                infected.flagged,
                interval(infected),
                without(name).map_or(0, |group| group.infected.flagged),
                group.auc.map_or_else(|| "-".to_owned(), |auc| format!("{auc:.2}")),
                count(group.queries_infected),
            );
        }
        text.push_str("\n| attack | scans | flagged | data set left out |\n| --- | --- | --- | --- |\n");
        for (Attack { name, scans, flagged }, other) in
            self.origin_left_out.attacks.iter().zip(&self.dataset_left_out.attacks)
        {
            let _ = writeln!(text, "| {name} | {scans} | {flagged} | {} |", other.flagged);
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let _ = writeln!(text, "\nSeeds of the scans: {}.", seeds.join(", "));
        text
    }
}

impl Figures {
    /// The most important figures in one table.
    fn summary(&self) -> String {
        let mut text =
            "| models made by | scans (origins) | called backdoored | 95 % interval | right label |\n".to_owned();
        text.push_str("| --- | --- | --- | --- | --- |\n");
        for group in &self.origin_left_out.makers {
            for (kind, right_label) in [("clean", None), ("infected", Some(group.right_label))] {
                let verdicts = if right_label.is_some() { &group.infected } else { &group.clean };
                if verdicts.scans == 0 {
                    continue;
                }
                let share = 100.0 * verdicts.flagged as f64 / verdicts.scans as f64;
                let right = right_label.map_or_else(String::new, |[right, named]| format!(" {right} of {named}"));
                let _ = writeln!(
                    text,
                    "| {}, {kind} | {} ({}) | {} ({share:.0} %) | {} |{right} |",
                    group.name,
                    verdicts.scans,
                    verdicts.owners,
                    verdicts.flagged,
                    interval(verdicts),
                );
            }
        }
        text
    }
}

fn interval(verdicts: &Verdicts) -> String {
    verdicts
        .interval
        .map_or_else(|| "-".to_owned(), |[low, high]| format!("{:.0} to {:.0} %", 100.0 * low, 100.0 * high))
}

fn count(queries: Option<u64>) -> String {
    queries.map_or_else(|| "-".to_owned(), |queries| queries.to_string())
}

impl Group {
    fn new(name: &str, models: &[&Judged]) -> Self {
        let (infected, clean): (Vec<&Judged>, Vec<&Judged>) = models.iter().partition(|one| one.is_infected());
        let named: Vec<bool> = infected.iter().filter_map(|one| one.names_the_target()).collect();
        let scores = |models: &[&Judged]| models.iter().map(|one| one.score.unwrap_or_default()).collect::<Vec<f64>>();
        Self {
            name: name.to_owned(),
            clean: Verdicts::new(&clean),
            infected: Verdicts::new(&infected),
            right_label: [named.iter().filter(|&&right| right).count(), named.len()],
            auc: auc(&scores(&infected), &scores(&clean)),
            queries_clean: median(&clean),
            queries_infected: median(&infected),
        }
    }
}

impl Verdicts {
    fn new(models: &[&Judged]) -> Self {
        let owners = models.iter().map(|one| one.model.owner.as_str()).collect::<BTreeSet<&str>>().len();
        let flagged = models.iter().filter(|one| one.is_flagged()).count();
        let share = flagged as f64 / models.len().max(1) as f64;
        Self {
            scans: models.len(),
            owners,
            flagged,
            inconclusive: models.iter().filter(|one| one.is_inconclusive()).count(),
            interval: (owners > 0).then(|| share_interval(share, owners)),
        }
    }
}

/// What scans have decided after so many queries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) queries: u64,
    /// The share of infected models that are called backdoored by then.
    pub(crate) infected: f64,
    /// The share of clean models that are called clean by then.
    pub(crate) clean: f64,
}

/// Where the shares are counted.
const QUERIES: [u64; 14] = [
    5_000, 10_000, 15_000, 20_000, 30_000, 40_000, 60_000, 80_000, 100_000, 150_000, 200_000, 300_000, 500_000, 800_000,
];

fn decided(judged: &[Judged]) -> Vec<Decided> {
    let (infected, clean): (Vec<&Judged>, Vec<&Judged>) = judged.iter().partition(|one| one.is_infected());
    let share = |models: &[&Judged], queries: u64, is_decided: fn(&Judged) -> bool| {
        let count = models.iter().filter(|one| one.queries <= queries && is_decided(one)).count();
        (1000.0 * count as f64 / models.len().max(1) as f64).round() / 1000.0
    };
    let at = |queries| Decided {
        queries,
        infected: share(&infected, queries, Judged::is_flagged),
        clean: share(&clean, queries, |one| one.verdict == Verdict::Clean),
    };
    QUERIES.map(at).into()
}

fn median(models: &[&Judged]) -> Option<u64> {
    let mut queries: Vec<u64> = models.iter().map(|one| one.queries).collect();
    queries.sort_unstable();
    queries.get(queries.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "known values")]
mod tests {
    use super::super::index::Model;
    use super::*;
    use aeva_stats::Reason;
    use std::path::PathBuf;

    fn judged(dataset: &str, owner: &str, truth: Truth, verdict: Verdict, score: f64) -> Judged {
        let model = Model {
            name: format!("{owner}-{score}"),
            dataset: dataset.to_owned(),
            owner: owner.to_owned(),
            truth,
            file: PathBuf::new(),
            images: PathBuf::new(),
        };
        Judged { model, seed: 0, verdict, score: Some(score), p_value: None, queries: 100, is_unfinished: false }
    }

    fn infected(target: Option<usize>) -> Truth {
        Truth::Infected { target, attack: "patch".to_owned() }
    }

    #[test]
    fn models_are_counted_by_data_set_and_owner() {
        let backdoored = |suspects: &[usize]| Verdict::Backdoored { suspects: suspects.to_vec() };
        let unclear = Verdict::Inconclusive { why: Reason::NoTriggers };
        let judged = [
            judged("mnist", "a", Truth::Clean, Verdict::Clean, 0.1),
            judged("mnist", "a", Truth::Clean, backdoored(&[7]), 2.0),
            judged("mnist", "b", Truth::Clean, unclear, 0.0),
            judged("mnist", "c", infected(Some(3)), backdoored(&[3, 5]), 3.0),
            judged("mnist", "c", infected(None), backdoored(&[0, 1]), 4.0),
            judged("gtsrb", "d", infected(Some(1)), backdoored(&[2]), 1.0),
            judged("gtsrb", "d", infected(Some(1)), Verdict::Clean, 0.3),
        ];
        let figures = Figures::new(&judged, &judged, &judged[..3], Vec::new(), Calibration::fit(&[]), &[0]);
        assert!(
            figures.efforts().contains("| `screen` | 0 of 0 (0 %) | 1 of 3 (33 %) | - | 100 |"),
            "{}",
            figures.efforts()
        );
        assert!(figures.power_in_rust().contains("STANDARD: Power = Power { infected: [3, 4], clean: [1, 3] };"));
        assert!(figures.power.iter().all(|at| (at.infected, at.clean) == (0.75, 0.333)), "{:?}", figures.power);
        let [gtsrb, mnist, all] = figures.origin_left_out.datasets.as_slice() else { panic!("two data sets and all") };
        assert_eq!((mnist.clean.scans, mnist.clean.owners, mnist.clean.flagged), (3, 2, 1));
        assert_eq!((mnist.clean.inconclusive, mnist.right_label, mnist.auc), (1, [1, 1], Some(1.0)));
        assert_eq!((gtsrb.clean.scans, gtsrb.clean.interval, gtsrb.right_label), (0, None, [0, 1]));
        assert_eq!((all.name.as_str(), all.infected.scans, all.infected.flagged), ("all", 4, 3));
        assert_eq!(figures.origin_left_out.attacks, [Attack { name: "patch".to_owned(), scans: 4, flagged: 3 }]);
        // One of three models, but two owners: wider than for three independent models.
        let [low, high] = mnist.clean.interval.unwrap();
        assert!(low < 0.06 && high > 0.83, "{low} {high}");
        let text = serde_json::to_vec(&figures).unwrap();
        assert_eq!(Figures::from_json(&text).unwrap(), figures);
        assert!(figures.markdown().contains("| mnist | 3 (2) | 1 |"), "{}", figures.markdown());
        assert!(
            figures.markdown().contains("| other people, clean | 3 (2) | 1 (33 %) | 5 to"),
            "{}",
            figures.markdown()
        );
        assert!(figures.markdown().contains("| other people, infected | 4 (2) | 3 (75 %) |"), "{}", figures.markdown());
        assert!(!String::from_utf8(text).unwrap().contains("a-0.1"), "no names of models");
    }
}
