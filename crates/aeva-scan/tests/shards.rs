//! However a scan is divided and interrupted, its shares together are the whole scan.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use std::fs;
use std::path::Path;

use aeva_artifact::{ArtifactError, Completeness, RunDir, merge};
use aeva_attack::trigger::PassId;
use aeva_scan::{Lenses, MemoryStore, Shard};
use common::{Backdoor, BlackBox, Setup, Watch, contents};
use proptest::prelude::*;

/// One share, which is interrupted after so many answers, time and again, and then goes on to its end; returns what it asked.
fn share(setup: &mut Setup, shard: Shard, backdoor: Backdoor, folder: &Path, stops: &[(u64, bool)]) -> u64 {
    setup.request.shard = Some(shard);
    let mut asked = 0;
    for &(after, fails) in stops {
        let mut run = setup.run_dir(folder).with_share(shard.number(), shard.of());
        if fails {
            // What was answered before the failure is kept.
            let mut black_box = BlackBox::bars_that_fail(backdoor, after / 32);
            let _ = setup.run(&mut black_box, None, &mut run, &());
            asked += black_box.asked();
        } else {
            let mut black_box = BlackBox::new(backdoor);
            setup.run(&mut black_box, None, &mut run, &Watch::stop_after(after)).unwrap();
            asked += black_box.asked();
        }
    }
    let mut run = setup.run_dir(folder).with_share(shard.number(), shard.of());
    let mut black_box = BlackBox::new(backdoor);
    setup.run(&mut black_box, None, &mut run, &()).unwrap();
    let work = setup.scan().shared();
    let passes = work.passes.iter().map(|&id| run.trigger_path(id));
    let artifacts: Vec<_> = passes.chain(work.pairs.iter().map(|&(from, to)| run.pair_path(from, to))).collect();
    assert!(run.store_manifest(shard.number(), shard.of(), &artifacts).unwrap().complete);
    setup.request.shard = None;
    asked + black_box.asked()
}

/// The queries of everything in a folder.
fn paid(run: &RunDir) -> u64 {
    let (passes, pairs) = contents(run);
    let passes: u64 = passes.iter().map(|(_, pass)| pass.result.queries).sum();
    passes + pairs.iter().map(|pair| pair.queries().total()).sum::<u64>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shares_are_the_whole(
        of in 1..8_u32,
        one_folder: bool,
        exhaustive: bool,
        backdoored: bool,
        order in any::<u32>(),
        stops in proptest::collection::vec(proptest::collection::vec((0..20_000_u64, any::<bool>()), 0..3), 8),
    ) {
        let backdoor = if backdoored { Backdoor::To(2) } else { Backdoor::Unequal };
        let mut setup = Setup::enough(Lenses::Each);
        if exhaustive {
            setup.request.rule = common::exhaustive();
        }
        let mut memory = MemoryStore::default();
        let whole = setup.finish(&mut BlackBox::new(backdoor), &mut memory);
        let (passes, pairs) = contents(&memory);

        let folder = tempfile::tempdir().unwrap();
        let merged = folder.path().join("merged");
        let mut asked = 0;
        for turn in 0..of {
            // Any order of the shares.
            let number = 1 + (turn.wrapping_add(order) % of);
            let own = if one_folder { merged.clone() } else { folder.path().join(format!("part-{number}")) };
            asked += share(&mut setup, Shard::new(number, of).unwrap(), backdoor, &own, &stops[number as usize]);
        }
        let mut expected = 0;
        if one_folder {
            expected += paid(&RunDir::open(&merged).unwrap());
        } else {
            for number in 1..=of {
                let part = folder.path().join(format!("part-{number}"));
                expected += paid(&RunDir::open(&part).unwrap());
                merge(&merged, &part).unwrap();
            }
        }
        // A failing batch of 32 was asked and not answered.
        let failures: usize = stops.iter().flatten().filter(|(_, fails)| *fails).count();
        prop_assert!(asked >= expected && asked <= expected + 32 * failures as u64, "{asked} of {expected}");

        let run = RunDir::open(&merged).unwrap();
        let states = run.shard_states().unwrap();
        prop_assert!(states[&of].iter().all(|state| state.state == Completeness::Complete), "{states:?}");
        // The rest: refining passes, unless the scan is exhaustive.
        let mut last = BlackBox::new(backdoor);
        let mut store = setup.run_dir(&merged);
        let outcome = setup.finish(&mut last, &mut store);
        if exhaustive {
            prop_assert_eq!(last.asked(), 0);
        }
        prop_assert_eq!(&outcome.assessment, &whole.assessment);
        let (found_passes, found_pairs) = contents(&store);
        prop_assert_eq!(&found_pairs, &pairs);
        prop_assert!(passes.iter().all(|pass| found_passes.contains(pass)), "every pass of the whole scan is there");
        // Files are a function of their content.
        for path in passes.iter().map(|(id, _): &(PassId, _)| store.trigger_path(*id)) {
            prop_assert!(path.is_file());
        }
        prop_assert!(!merged.join("partial-v1").exists(), "no unfinished work is left");
    }
}

#[test]
fn a_whole_scan_goes_on_with_what_a_share_has_begun() {
    let mut setup = Setup::enough(Lenses::Each);
    let folder = tempfile::tempdir().unwrap();
    let shard = Shard::new(2, 3).unwrap();
    setup.request.shard = Some(shard);
    let mut begun = BlackBox::new(Backdoor::Unequal);
    let most = {
        let mut whole = BlackBox::new(Backdoor::Unequal);
        setup.finish(&mut whole, &mut MemoryStore::default());
        whole.asked()
    };
    let mut run = setup.run_dir(folder.path()).with_share(2, 3);
    setup.run(&mut begun, None, &mut run, &Watch::stop_after(most - 100)).unwrap();
    assert_eq!(run.store_manifest(2, 3, &[run.pair_path(0, 1)]).unwrap().complete, run.pair_path(0, 1).is_file());
    setup.request.shard = None;
    let (mut rest, mut whole) = (BlackBox::new(Backdoor::Unequal), BlackBox::new(Backdoor::Unequal));
    setup.finish(&mut whole, &mut MemoryStore::default());
    setup.finish(&mut rest, &mut setup.run_dir(folder.path()));
    assert_eq!(begun.asked() + rest.asked(), whole.asked());
    assert!(!folder.path().join("partial-v1").exists());
}

#[test]
fn shares_of_different_scans_and_damaged_ones_are_noticed() {
    let mut setup = Setup::enough(Lenses::All);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for number in [1, 2] {
        share(&mut setup, Shard::new(number, 2).unwrap(), Backdoor::Unequal, &path(&format!("part-{number}")), &[]);
    }
    merge(&path("merged"), &path("part-1")).unwrap();
    let state = |number: usize| {
        let states = RunDir::open(&path("merged")).unwrap().shard_states().unwrap();
        states[&2][number - 1].clone()
    };
    assert_eq!((state(1).state, state(2).state), (Completeness::Complete, Completeness::Missing));
    merge(&path("merged"), &path("part-2")).unwrap();
    assert_eq!(state(2).state, Completeness::Complete);
    // Again, it changes nothing.
    let again = merge(&path("merged"), &path("part-2")).unwrap();
    assert_eq!((again.copied, again.there > 0), (0, true));

    // The same scan of a model that answers otherwise.
    share(&mut setup, Shard::new(2, 2).unwrap(), Backdoor::To(1), &path("other"), &[]);
    assert!(matches!(merge(&path("merged"), &path("other")), Err(ArtifactError::Differs { .. })));

    let name = state_file(&path("part-2"));
    let artifact = path("merged").join("triggers-v1").join(&name);
    fs::write(&artifact, "another content").unwrap();
    assert_eq!((state(2).state, state(2).missing.len()), (Completeness::Incomplete, 0));
    assert_eq!(state(2).differing, [format!("triggers-v1/{name}")]);
    fs::remove_file(artifact).unwrap();
    assert_eq!(state(2).missing, [format!("triggers-v1/{name}")]);
    let damaged = path("part-2").join("triggers-v1").join(&name);
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    assert!(matches!(merge(&path("merged"), &path("part-2")), Err(ArtifactError::Decode { .. })));

    setup.request.seed = 1;
    share(&mut setup, Shard::new(2, 2).unwrap(), Backdoor::Unequal, &path("seed"), &[]);
    assert!(matches!(merge(&path("merged"), &path("seed")), Err(ArtifactError::OtherRun { .. })));
    fs::write(path("part-1").join("shards/1-of-2.json"), "{}").unwrap();
    assert!(matches!(merge(&path("merged"), &path("part-1")), Err(ArtifactError::Manifest { .. })));
}

/// The name of the first artifact of triggers in a folder.
fn state_file(run: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(run.join("triggers-v1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.remove(0)
}
