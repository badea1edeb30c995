//! What is known of each model of a fleet.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use aeva_artifact::{MAX_ARTIFACT_BYTES, read_regular, write_atomically};
use serde::{Deserialize, Serialize};

use super::list::Member;
use crate::output::plain;

/// How the scan of a model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Clean,
    Backdoored,
    Inconclusive,
    /// It could not be scanned.
    Failed,
    /// A signal stopped it.
    Interrupted,
    /// It was not begun.
    Waiting,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Backdoored => "backdoored",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "not scanned",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
        }
    }
}

/// A model of a fleet after its scan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scanned {
    pub(super) name: String,
    model: String,
    pub(super) status: Status,
    /// Target labels of the backdoor.
    #[serde(default)]
    suspects: Vec<usize>,
    p_value: Option<f64>,
    queries: Option<u64>,
    seconds: Option<f64>,
    /// Why it could not be scanned.
    error: Option<String>,
}

/// What is read of a report.
#[derive(Deserialize)]
struct Report {
    verdict: String,
    suspects: Vec<usize>,
    p_value: Option<f64>,
    queries: u64,
    seconds: Option<f64>,
}

impl Scanned {
    /// A model whose scan ended so, with what its report or its log says.
    pub(super) fn new(member: &Member, out: &Path, status: Status, log: &Path) -> Self {
        let mut one = Self::waiting(member);
        one.status = status;
        if status == Status::Failed {
            one.error = Some(error_of(log));
            return one;
        }
        let path = out.join(&member.name).join("report.json");
        let report: Option<Report> =
            read_regular(&path, MAX_ARTIFACT_BYTES).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(report) = report {
            // With `--fail-on backdoored`, the exit code does not say it.
            if report.verdict == "inconclusive" && status == Status::Clean {
                one.status = Status::Inconclusive;
            }
            (one.suspects, one.p_value) = (report.suspects, report.p_value);
            (one.queries, one.seconds) = (Some(report.queries), report.seconds);
        }
        one
    }

    fn waiting(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            model: member.model.clone(),
            status: Status::Waiting,
            suspects: Vec::new(),
            p_value: None,
            queries: None,
            seconds: None,
            error: None,
        }
    }
}

/// The error in a log.
fn error_of(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let error = text.lines().find_map(|line| line.trim().strip_prefix("error: "));
    let last = || text.lines().rev().find(|line| !line.trim().is_empty());
    error.or_else(last).unwrap_or("it ended without a message").to_owned()
}

/// Keeps what is known of a model, for the tables of all machines.
pub(super) fn store(out: &Path, one: &Scanned) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(one)?;
    Ok(write_atomically(&out.join(format!("{}.json", one.name)), &text)?)
}

/// All models of a list.
#[derive(Serialize)]
pub(super) struct Fleet {
    version: u32,
    models: Vec<Scanned>,
}

impl Fleet {
    /// What is known of these models.
    pub(super) fn of(out: &Path, members: &[Member]) -> Self {
        let known = |member: &Member| {
            let path = out.join(format!("{}.json", member.name));
            let one: Scanned = serde_json::from_slice(&read_regular(&path, MAX_ARTIFACT_BYTES).ok()?).ok()?;
            // The list may have been another one.
            (one.model == member.model).then_some(one)
        };
        let models = members.iter().map(|member| known(member).unwrap_or_else(|| Scanned::waiting(member))).collect();
        Self { version: 1, models }
    }

    fn rows(&self) -> Vec<[String; 5]> {
        let mut rows = vec![["model", "verdict", "target labels", "queries", "time"].map(str::to_owned)];
        for one in &self.models {
            let labels: Vec<String> = one.suspects.iter().map(ToString::to_string).collect();
            let queries = one.queries.map_or_else(String::new, |queries| queries.to_string());
            let time = one.seconds.map_or_else(String::new, |seconds| format!("{seconds:.0} s"));
            rows.push([plain(&one.name), one.status.name().to_owned(), labels.join(", "), queries, time]);
        }
        rows
    }

    /// How many models there are of each status.
    fn counts(&self) -> String {
        use Status::{Backdoored, Clean, Failed, Inconclusive, Interrupted, Waiting};

        let count = |status: Status| {
            let count = self.models.iter().filter(|one| one.status == status).count();
            (count > 0).then(|| format!("{count} {}", status.name()))
        };
        let all = [Backdoored, Inconclusive, Failed, Interrupted, Waiting, Clean];
        all.into_iter().filter_map(count).collect::<Vec<String>>().join(", ")
    }

    /// A table for a terminal.
    pub(super) fn text(&self) -> String {
        let rows = self.rows();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3, 4].map(width);
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        for one in self.models.iter().filter(|one| one.error.is_some()) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {}", plain(&one.name), plain(one.error.as_deref().unwrap_or_default()));
        }
        text + &self.counts()
    }

    /// A table in Markdown, with links to the pages.
    pub(super) fn markdown(&self) -> String {
        let plain_cell = |cell: &str| plain(cell).replace('|', "\\|").replace('<', "&lt;");
        let mut text = format!("# Backdoor scans of {} models\n\n{}.\n\n", self.models.len(), self.counts());
        for (number, (row, one)) in
            self.rows().iter().zip(std::iter::once(None).chain(self.models.iter().map(Some))).enumerate()
        {
            let mut cells: Vec<String> = row.iter().map(|cell| plain_cell(cell)).collect();
            if let Some(one) = one
                && one.queries.is_some()
            {
                cells[0] = format!("[{}]({}/report.html)", cells[0], one.name);
            }
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                text.push_str("| --- | --- | --- | --- | --- |\n");
            }
        }
        text
    }
}
