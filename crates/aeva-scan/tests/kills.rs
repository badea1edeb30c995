//! A scan that is killed at any time continues from what was answered, and no answer is paid for twice.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aeva_attack::{JobId, Label, ScanObserver};
use aeva_scan::{Lenses, MemoryStore, Observer};
use common::{Backdoor, BlackBox, Setup, Watch, contents};

/// Copies the run folder after so many answers of a pass: what a kill would leave at this time.
struct Kill {
    after: u64,
    answered: AtomicU64,
    run: PathBuf,
    left: PathBuf,
}

impl ScanObserver for Kill {
    fn answered(&self, job: Option<JobId>, _: usize, answers: &[Label]) {
        // Answers of perturbations wait a moment for others, so a kill may cost some of them.
        let before = self.answered.fetch_add(answers.len() as u64, Ordering::Relaxed);
        if (before..before + answers.len() as u64).contains(&self.after) && job.is_none() {
            copy(&self.run, &self.left);
        }
    }
}

impl Observer for Kill {}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_killed_scan_asks_nothing_again() {
    let setup = Setup::enough(Lenses::All);
    let (mut memory, mut whole) = (MemoryStore::default(), BlackBox::new(Backdoor::Unequal));
    let reference = setup.finish(&mut whole, &mut memory);
    let most = whole.asked();
    for (after, workers) in [(0, 1), (31, 1), (5_000, 1), (5_000, 3), (most / 2, 2), (most - 100, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let [run, left] = ["run", "left"].map(|name| folder.path().join(name));
        let kill = Kill { after, answered: AtomicU64::new(0), run: run.clone(), left: left.clone() };
        let mut killed = BlackBox::bars(Backdoor::Unequal, workers);
        setup.run(&mut killed, None, &mut setup.run_dir(&run), &kill).unwrap();

        let (mut rest, watch, mut store) =
            (BlackBox::bars(Backdoor::Unequal, workers), Watch::new(), setup.run_dir(&left));
        let outcome = setup.run(&mut rest, None, &mut store, &watch).unwrap();
        assert_eq!((contents(&store), outcome.assessment), (contents(&memory), reference.assessment.clone()));
        // With one worker, nothing comes while the folder is copied. A few answers wait a moment for others before they are written.
        let kept = most - rest.asked();
        let is_near = kept + 64 > after && (kept <= after + 32 || workers > 1);
        assert!(is_near, "{kept} answers kept of {after} by {workers}");
        assert_eq!(watch.known(), kept);
        assert!(!left.join("partial-v1").exists());
    }
}
