//! Shares that run at the same time in one folder divide the passes among themselves, and together are the whole scan.
#![allow(clippy::unwrap_used, reason = "tests stop at what is unexpected")]

mod common;

use std::path::Path;
use std::thread;
use std::time::Duration;

use aeva_attack::trigger::PassId;
use aeva_scan::{Budget, Lenses, MemoryStore, Shard, StoredPass};
use common::{Backdoor, BlackBox, Setup, Watch, contents};
use proptest::prelude::*;

const PAUSE: Duration = Duration::from_micros(20);

fn setup(exhaustive: bool, shard: Option<Shard>) -> Setup {
    let mut setup = Setup::enough(Lenses::All);
    if exhaustive {
        setup.request.rule = common::exhaustive();
    }
    setup.request.shard = shard;
    setup
}

/// One share, which is stopped after so many answers and started again, and then helps the others; returns what it asked.
fn share(exhaustive: bool, shard: Shard, backdoor: Backdoor, folder: &Path, stops: &[u64]) -> u64 {
    let setup = setup(exhaustive, Some(shard));
    let mut black_box = BlackBox::slow_bars(backdoor, PAUSE);
    let begin = || setup.run_dir(folder).with_share(shard.number(), shard.of()).in_team(shard.number());
    for &after in stops {
        setup.run(&mut black_box, None, &mut begin(), &Watch::stop_after(after)).unwrap();
    }
    let mut run = begin();
    let outcome = setup.run(&mut black_box, None, &mut run, &()).unwrap();
    let images = setup.images.view();
    setup.scan().help(&mut black_box.oracles, images, &outcome, Budget::default(), &mut run, &()).unwrap();
    black_box.asked()
}

/// All shares at the same time; returns what each asked.
fn all(of: u32, exhaustive: bool, backdoor: Backdoor, folder: &Path, stops: &[Vec<u64>]) -> Vec<u64> {
    thread::scope(|scope| {
        let start = |number: u32| {
            let (shard, stops) = (Shard::new(number, of).unwrap(), &stops[number as usize - 1]);
            scope.spawn(move || share(exhaustive, shard, backdoor, folder, stops))
        };
        let shares: Vec<_> = (1..=of).map(start).collect();
        shares.into_iter().map(|share| share.join().unwrap()).collect()
    })
}

/// The passes of the whole scan, and their queries.
fn whole(exhaustive: bool, backdoor: Backdoor) -> Vec<(PassId, StoredPass)> {
    let mut memory = MemoryStore::default();
    setup(exhaustive, None).finish(&mut BlackBox::new(backdoor), &mut memory);
    contents(&memory).0
}

fn queries(passes: &[(PassId, StoredPass)]) -> u64 {
    passes.iter().map(|(_, pass)| pass.result.queries).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn shares_that_help_each_other_are_the_whole(
        of in 2..5_u32,
        exhaustive: bool,
        stops in proptest::collection::vec(proptest::collection::vec(0..5_000_u64, 0..3), 4),
    ) {
        let expected = whole(exhaustive, Backdoor::Unequal);
        let folder = tempfile::tempdir().unwrap();
        all(of, exhaustive, Backdoor::Unequal, folder.path(), &stops);
        prop_assert!(!folder.path().join("partial-v1").exists(), "no unfinished work is left");
        // The rest: refining passes, unless the scan is exhaustive.
        let (setup, mut last) = (setup(exhaustive, None), BlackBox::new(Backdoor::Unequal));
        let mut store = setup.run_dir(folder.path());
        setup.finish(&mut last, &mut store);
        prop_assert!(!exhaustive || last.asked() == 0);
        let (found, _) = contents(&store);
        prop_assert!(expected.iter().all(|pass| found.contains(pass)), "every pass of the whole scan is there");
    }
}

#[test]
fn a_pass_is_divided() {
    let folder = tempfile::tempdir().unwrap();
    let asked = all(4, true, Backdoor::Unequal, folder.path(), &vec![Vec::new(); 4]);
    let paid = queries(&contents(&setup(true, None).run_dir(folder.path())).0);
    // By expected queries alone, one of them would have most of the scan.
    let (sum, most) = (asked.iter().sum::<u64>(), *asked.iter().max().unwrap());
    println!("{asked:?} of {paid}");
    assert!(sum >= paid && most < paid * 2 / 5, "{asked:?} of {paid}");
}
