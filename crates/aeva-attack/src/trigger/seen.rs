//! The images that a pass has asked about. Two triggers may make the same image of one, and some change nothing: a shift that ends
//! at the border, a black patch on black. No image is asked about twice in a pass, nor one that is as it was: its label is known.
//!
//! Images are told apart by a hash of their values with 128 bits. The chance that any two of 100 000 are taken for one is 1e-29.

use std::collections::HashMap;

use rayon::prelude::*;
use twox_hash::XxHash3_128;

use super::pixels::{Pixels, Row};
use crate::Label;

/// Rows that are worth a thread.
const FEW: usize = 32;

/// Where the label of an image is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// It is the label of the image without a trigger.
    Known(Label),
    /// Position of the query in the pass.
    Asked(usize),
}

/// The images of a pass so far, by the hash of their values.
pub(super) struct Seen {
    places: HashMap<u128, Place>,
}

impl Seen {
    /// Knows the images without a trigger that the model classifies correctly: index in the data set and label.
    pub(super) fn new(correct: impl Iterator<Item = (usize, Label)>, pixels: Pixels<'_>) -> Self {
        let place = |(index, label)| (hash(pixels.image(index)), Place::Known(label));
        Self { places: correct.map(place).collect() }
    }

    /// Where the label of each row is, and the rows to ask for that, the first of which is query `next` of the pass.
    pub(super) fn sort<'a>(
        &mut self,
        rows: Vec<Row<'a>>,
        pixels: Pixels<'_>,
        next: usize,
    ) -> (Vec<Place>, Vec<Row<'a>>) {
        let hashes: Vec<u128> = rows
            .par_iter()
            .with_min_len(FEW)
            .map_init(Vec::new, |stamped, &row| {
                stamped.resize(pixels.values(), 0.0);
                pixels.stamp(row, stamped);
                hash(stamped)
            })
            .collect();
        let mut fresh = Vec::with_capacity(rows.len());
        let places = rows.into_iter().zip(hashes).map(|(row, hash)| {
            *self.places.entry(hash).or_insert_with(|| {
                fresh.push(row);
                Place::Asked(next + fresh.len() - 1)
            })
        });
        (places.collect(), fresh)
    }
}

fn hash(image: &[f32]) -> u128 {
    XxHash3_128::oneshot(bytemuck::cast_slice(image))
}
