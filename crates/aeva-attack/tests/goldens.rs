//! Exactness: with the recorded noise, the search follows the traces of the published HopSkipJump.
//!
//! `tests/data/golden/hsja_*.npz` hold runs of the published program on closed-form black boxes, in f64. Everything
//! below must agree to 1e-12: the algorithms are the same, only the order of some sums differs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "tests stop at what is unexpected, and compare bits on purpose"
)]

use std::fs::File;
use std::path::Path;

use aeva_attack::{HopSkipJump, HopSkipJumpBuilder, NoiseSource};
use ndarray::{Array, Array1, Array2, Dimension, Ix0};
use ndarray_npy::{NpzReader, ReadableElement};

const TOLERANCE: f64 = 1e-12;

struct Golden(NpzReader<File>);

impl Golden {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/golden/hsja_{name}.npz"));
        Self(NpzReader::new(File::open(path).unwrap()).unwrap())
    }

    fn array<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        self.0.by_name::<ndarray::OwnedRepr<T>, D>(name).unwrap()
    }

    fn values(&mut self, name: &str) -> Vec<f64> {
        let array: Array<f64, ndarray::IxDyn> = self.array(name);
        array.iter().copied().collect()
    }

    fn number(&mut self, name: &str) -> f64 {
        self.array::<f64, Ix0>(name).into_scalar()
    }

    fn count(&mut self, name: &str) -> i64 {
        self.array::<i64, Ix0>(name).into_scalar()
    }
}

/// The recorded draws, in order.
struct Recorded {
    noise: Array2<f64>,
    /// Draws before each iteration.
    offsets: Vec<usize>,
}

impl NoiseSource for Recorded {
    fn standard_normal(&self, iteration: u32, draw: u32, out: &mut [f64]) {
        let row = self.offsets[iteration as usize - 1] + draw as usize;
        out.copy_from_slice(self.noise.row(row).as_slice().unwrap());
    }
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= TOLERANCE, "{what}, value {index}: {found} against {expected}");
    }
}

/// Follows a trace, giving the search at most `room` rows at a time.
fn follow(name: &str, room: usize, label: impl Fn(&mut Golden) -> Box<dyn Fn(&[f64]) -> bool>) {
    let mut golden = Golden::open(name);
    let decide = label(&mut golden);
    let evaluations: Array1<i64> = golden.array("evals");
    let mut offsets = vec![0];
    for &count in &evaluations {
        offsets.push(offsets.last().unwrap() + count as usize);
    }
    let noise = Recorded { noise: golden.array("noise"), offsets };
    let (delta, step) = (golden.values("delta"), golden.values("eps"));
    let halvings: Array1<i64> = golden.array("halvings");
    let points: Array2<f64> = golden.array("z");
    let distances = golden.values("dist");
    let (origin, start) = (golden.values("origin"), golden.values("start"));

    let params = HopSkipJumpBuilder {
        iterations: golden.count("iterations") as u32,
        initial_evaluations: golden.count("init_evals") as u32,
        ..HopSkipJumpBuilder::PUBLISHED
    };
    let mut search = HopSkipJump::new(params.check().unwrap(), noise, 1, &origin, &start).unwrap();
    let d = origin.len();
    let mut followed = 0;
    while search.outcome().is_none() {
        let at_boundary = search.queries().gradient == 0 && search.perturbation().is_some() && followed == 0;
        if at_boundary {
            assert_close(search.point(), points.row(0).as_slice().unwrap(), "first boundary point");
            assert_close(&[search.distance()], &distances[..1], "first distance");
            followed = 1;
        }
        let mut rows = vec![0.0_f64; search.pending().min(room) * d];
        search.write(&mut rows);
        let labels: Vec<u32> = rows.chunks(d).map(|row| u32::from(decide(row))).collect();
        let before = search.iterations();
        search.tell(&rows, &labels);
        if search.iterations() > before {
            let j = before as usize;
            let trace = search.trace().unwrap();
            assert_eq!(i64::from(trace.evaluations), evaluations[j]);
            assert_eq!(i64::from(trace.halvings), halvings[j], "halvings of iteration {}", j + 1);
            assert_close(&[trace.delta, trace.step], &[delta[j], step[j]], "delta and step");
            assert_close(search.point(), points.row(j + 1).as_slice().unwrap(), "boundary point");
            assert_close(&[search.distance()], &[distances[j + 1]], "distance");
            followed += 1;
        }
    }
    assert_eq!(followed, points.nrows());
    assert_eq!(search.queries().total(), golden.count("queries") as u64);
}

fn half_space(golden: &mut Golden) -> Box<dyn Fn(&[f64]) -> bool> {
    let (w, b) = (golden.values("w"), golden.number("b"));
    Box::new(move |v| v.iter().zip(&w).map(|(v, w)| v * w).sum::<f64>() > b)
}

fn ball(golden: &mut Golden) -> Box<dyn Fn(&[f64]) -> bool> {
    let (c, radius) = (golden.values("c"), golden.number("radius"));
    Box::new(move |v| v.iter().zip(&c).map(|(v, c)| (v - c) * (v - c)).sum::<f64>().sqrt() < radius)
}

/// Mean of rows 4 and 5, columns 3 and 4 of a [6, 5, 3] image.
fn patch(golden: &mut Golden) -> Box<dyn Fn(&[f64]) -> bool> {
    let threshold = golden.number("threshold");
    let rows: Array1<i64> = golden.array("rows");
    let columns: Array1<i64> = golden.array("cols");
    let mut inside = Vec::new();
    // Half-open ranges.
    for row in rows[0]..rows[1] {
        for column in columns[0]..columns[1] {
            inside.extend((0..3).map(|channel| (row as usize * 5 + column as usize) * 3 + channel));
        }
    }
    Box::new(move |v| inside.iter().map(|&i| v[i]).sum::<f64>() / inside.len() as f64 > threshold)
}

#[test]
fn half_space_is_followed() {
    follow("half_space", 1000, half_space);
}

#[test]
fn ball_is_followed() {
    follow("ball", 1000, ball);
}

#[test]
fn patch_is_followed() {
    follow("patch", 1000, patch);
}

#[test]
fn splitting_the_batches_changes_nothing() {
    follow("half_space", 1, half_space);
    follow("ball", 7, ball);
}
