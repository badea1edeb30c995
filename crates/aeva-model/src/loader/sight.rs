//! What a service can see of an image: the smallest steps of a pixel, the edge, single pixels.
//!
//! Labels show it where two of them meet. Between two images of different labels lies a point where the label changes; images on
//! both sides of it are so close to it that nearly any change that the service sees gives half of them another label. A change that
//! gives none of them another label is one that it does not see.

use aeva_attack::{HardLabelOracle, Label, NO_LABEL};
use ndarray::{Array4, ArrayView4, Axis, concatenate, s};

use super::error::LoadError;
use super::questions::Questions;

/// Pairs of images between which the label changes.
const PAIRS: usize = 16;
/// With fewer of them, nothing is said.
const ENOUGH: usize = 8;
/// Halvings of the way from one to the other; less than a thousandth of a step of 8 bits is left of it.
const HALVINGS: usize = 16;
/// The same for a service that is known to take 8 bits.
const HALVINGS_OF_BYTES: usize = 8;
/// What a pattern of single pixels adds and takes away. Images have less contrast here, so that there is room for it.
const PATTERN: f32 = 0.1;

/// What a service does not see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// Whether it rounds pixels to 8 bits.
    pub(super) rounds: bool,
    /// The width of the edge, in pixels, that makes no difference.
    pub(super) blind_edge: usize,
    /// Whether patterns of single pixels make no difference.
    pub(super) blurs: bool,
}

impl Sight {
    /// What a reader of the verdict should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rounds {
            notes.push("the service rounds pixels to 8 bits".to_owned());
        }
        if self.blind_edge > 0 {
            notes.push(format!(
                "the service does not see the outer {} pixels of an image, as if it cut them off: a trigger there is not found, nor does it work",
                self.blind_edge
            ));
        }
        if self.blurs {
            notes.push(
                "the service does not see patterns of single pixels, as if it made images smaller: triggers are found as it sees them"
                    .to_owned(),
            );
        }
        notes
    }
}

/// Measures it, given the labels of the clean images. `bytes` says that pixels go out in 8 bits.
pub(super) fn measure<O: HardLabelOracle>(
    questions: &mut Questions<'_, O>,
    labels: &[Label],
    bytes: bool,
) -> Result<Sight, LoadError> {
    let (ones, others) = pairs(labels);
    let images = questions.data.images.view();
    let soft = |chosen: &[usize]| images.select(Axis(0), chosen).mapv(|value| PATTERN + (1.0 - 2.0 * PATTERN) * value);
    let (mut here, mut there) = (soft(&ones), soft(&others));
    let first = questions.first_of_any(here.view())?;
    let last = questions.first_of_any(there.view())?;
    let differ: Vec<usize> = (0..first.len()).filter(|&pair| first[pair] != last[pair]).collect();
    if differ.len() < ENOUGH {
        return Ok(Sight::default());
    }
    (here, there) = (here.select(Axis(0), &differ), there.select(Axis(0), &differ));
    let first: Vec<Label> = differ.iter().map(|&pair| first[pair]).collect();
    for _ in 0..if bytes { HALVINGS_OF_BYTES } else { HALVINGS } {
        let middle = (&here + &there) * 0.5;
        for (row, found) in questions.first_of_any(middle.view())?.into_iter().enumerate() {
            let side = if found == first[row] { &mut here } else { &mut there };
            side.index_axis_mut(Axis(0), row).assign(&middle.index_axis(Axis(0), row));
        }
    }
    let points = concatenate![Axis(0), here, there];
    let before = questions.first_of_any(points.view())?;
    if before.contains(&NO_LABEL) {
        return Ok(Sight::default());
    }
    let mut is_blind_to = |changed: Array4<f32>| Ok::<_, LoadError>(questions.first_of_any(changed.view())? == before);
    let rounds = !bytes
        && (is_blind_to(rounded(points.view(), f32::round))? || is_blind_to(rounded(points.view(), f32::floor))?);
    let blurs = is_blind_to(chequered(points.view()))?;
    let mut blind_edge = 0;
    // Wider edges while they make no difference: at most a quarter of the side.
    let most = points.dim().1.min(points.dim().2) / 4;
    for width in [1, 2, 4, 8, 16, 32, 64].into_iter().take_while(|&width| width <= most) {
        if !is_blind_to(without_edge(points.view(), width))? {
            break;
        }
        blind_edge = width;
    }
    Ok(Sight { rounds, blind_edge, blurs })
}

/// Indices of images with different labels, pair by pair.
fn pairs(labels: &[Label]) -> (Vec<usize>, Vec<usize>) {
    let count = labels.len();
    let pair = |number: usize| {
        let one = (number * 7) % count;
        let other =
            (0..count).map(|step| (one + count / 2 + step) % count).find(|&other| labels[other] != labels[one])?;
        Some((one, other))
    };
    (0..PAIRS.min(count)).filter_map(pair).unzip()
}

/// Every value as its step of 8 bits, a little above it, so that a service that cuts off gets the same step.
fn rounded(images: ArrayView4<'_, f32>, to_step: fn(f32) -> f32) -> Array4<f32> {
    images.mapv(|value| ((to_step(value * 255.0) + 0.25) / 255.0).min(1.0))
}

/// A pattern of single pixels that leaves the mean of every square of two by two pixels as it is.
fn chequered(images: ArrayView4<'_, f32>) -> Array4<f32> {
    let mut changed = images.to_owned();
    for mut square in changed.exact_chunks_mut((1, 2, 2, 1)) {
        for ((_, y, x, _), value) in square.indexed_iter_mut() {
            *value += if y == x { PATTERN } else { -PATTERN };
        }
    }
    changed
}

/// The negative of an edge of so many pixels.
fn without_edge(images: ArrayView4<'_, f32>, width: usize) -> Array4<f32> {
    let mut changed = images.mapv(|value| 1.0 - value);
    let (_, height, across, _) = images.dim();
    let inside = s![.., width..height - width, width..across - width, ..];
    changed.slice_mut(inside).assign(&images.slice(inside));
    changed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "known values")]
mod tests {
    use super::*;
    use crate::loader::request::{Request, Stated};
    use crate::{Dataset, Device};
    use aeva_attack::synthetic::NearestCentre;
    use aeva_attack::{InputSpec, OracleError};
    use std::path::Path;

    const SIDE: usize = 12;
    const SPEC: InputSpec = InputSpec { height: SIDE, width: SIDE, channels: 1, classes: 3 };

    /// A model behind something that changes images.
    struct Behind<F>(NearestCentre, F);

    impl<F: Fn(ArrayView4<'_, f32>) -> Array4<f32> + Send> HardLabelOracle for Behind<F> {
        fn spec(&self) -> &InputSpec {
            &SPEC
        }

        fn classify(&mut self, batch: ArrayView4<'_, f32>, labels: &mut Vec<Label>) -> Result<(), OracleError> {
            self.0.classify((self.1)(batch).view(), labels)
        }
    }

    fn images() -> Array4<f32> {
        // Smooth, as pictures are: a wave of another direction for each label, and a little of another one for each image.
        Array4::from_shape_fn((60, SIDE, SIDE, 1), |(n, y, x, _)| {
            let (y, x, image) = (y as f32, x as f32, n as f32);
            let wave = match n % 3 {
                0 => y,
                1 => x,
                _ => x + y,
            };
            0.5 + 0.3 * (wave * 0.5).sin() + 0.1 * (image + 0.3 * x + 0.2 * y).sin()
        })
    }

    fn seen(change: impl Fn(ArrayView4<'_, f32>) -> Array4<f32> + Send, bytes: bool) -> Sight {
        let images = images();
        let centres = (0..3)
            .map(|label| images.index_axis(Axis(0), label).iter().map(|&value| f64::from(value)).collect())
            .collect();
        let mut oracles = [Behind(NearestCentre::new(SPEC, centres), change)];
        let mut labels = Vec::new();
        oracles[0].classify(images.view(), &mut labels).unwrap();
        let data = Dataset::new(Path::new("data"), images, labels.clone(), None).unwrap();
        let stated = Stated::default();
        let request =
            Request { model: Path::new("model"), stated: &stated, device: Device::Cpu, threads: 1, stop: &|| false };
        measure(&mut Questions::new(&request, &mut oracles, &data).unwrap(), &labels, bytes).unwrap()
    }

    #[test]
    fn what_a_service_does_to_images_is_seen_from_its_labels() {
        let to_bytes =
            |images: ArrayView4<'_, f32>, step: fn(f32) -> f32| images.mapv(|value| step(value * 255.0) / 255.0);
        assert_eq!(seen(|images| images.to_owned(), false), Sight::default());
        let rounds = Sight { rounds: true, ..Sight::default() };
        assert_eq!(seen(|images| to_bytes(images, f32::round), false), rounds);
        assert_eq!(seen(|images| to_bytes(images, f32::floor), false), rounds);
        assert_eq!(seen(|images| to_bytes(images, f32::round), true), Sight::default(), "it is known already");
        let cut = |images: ArrayView4<'_, f32>| {
            let mut cut = Array4::zeros(images.raw_dim());
            let inside = s![.., 2..SIDE - 2, 2..SIDE - 2, ..];
            cut.slice_mut(inside).assign(&images.slice(inside));
            cut
        };
        assert_eq!(seen(cut, false), Sight { blind_edge: 2, ..Sight::default() });
        let smaller = |images: ArrayView4<'_, f32>| {
            Array4::from_shape_fn(images.raw_dim(), |(n, y, x, c)| {
                let (y, x) = (y - y % 2, x - x % 2);
                images.slice(s![n, y..y + 2, x..x + 2, c]).mean().unwrap()
            })
        };
        assert!(seen(smaller, false).blurs);
    }

    #[test]
    fn data_of_one_label_shows_nothing() {
        assert_eq!(pairs(&[1; 40]), (Vec::new(), Vec::new()));
        assert_eq!(pairs(&[0, 1]), (vec![0, 1], vec![1, 0]));
    }
}
