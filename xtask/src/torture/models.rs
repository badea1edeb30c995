//! Models that several parts scan: linear classifiers with known weights.

use super::npz::{Digits, PIXELS};
use super::onnx::{FLOAT, Graph, Node, Side, floats, scores, tensor};
use super::random::Random;

/// Number of labels of the shipped images.
pub(crate) const CLASSES: usize = 10;

/// Weights `[pixels, classes]` and bias of a nearest-mean classifier, as bytes of floats. The boost is added to the
/// weights of four pixels in a corner, towards label 3: a backdoor.
pub(crate) fn nearest_means(data: &Digits, boost: f32) -> (Vec<u8>, Vec<u8>) {
    let mut means = vec![[0.0_f32; PIXELS]; CLASSES];
    for (means, label) in means.iter_mut().zip(0..) {
        let chosen = data.of_label(label);
        for index in &chosen {
            for (mean, pixel) in means.iter_mut().zip(data.image(*index)) {
                *mean += f32::from(*pixel) / 255.0 / chosen.len() as f32;
            }
        }
    }
    let bias = floats(means.iter().map(|mean| -mean.iter().map(|value| value * value).sum::<f32>() / 2.0));
    let weight = |pixel: usize, label: usize| {
        means[label][pixel] + if label == 3 && matches!(pixel, 0 | 1 | 16 | 17) { boost } else { 0.0 }
    };
    let weights =
        floats((0..PIXELS).flat_map(|pixel| (0..CLASSES).map(move |label| (pixel, label))).map(|(p, l)| weight(p, l)));
    (weights, bias)
}

/// Dimensions of the weights of a linear classifier of the shipped images.
pub(crate) const WEIGHTS: [i64; 2] = [256, 10];

/// The graph from `x` to `y` of a linear classifier whose weights are this tensor, named `w`.
pub(crate) fn linear_digits(weights: Vec<u8>, bias: &[u8]) -> Graph {
    let graph = Graph::classifier(&super::onnx::digits(), weights);
    let graph = graph.initializer(tensor("b", FLOAT, &[10], bias));
    graph.node(Node::new("Add", &["scores", "b"], &["y"])).output("y", FLOAT, &scores(10))
}

/// A linear classifier with random weights, for images of any size: its answers are correct only by chance.
pub(crate) fn random_linear(sides: [i64; 3], classes: i64, rows: Side) -> Vec<u8> {
    let mut random = Random::new(1, "weights");
    let size = sides.iter().product::<i64>();
    let count = usize::try_from(size * classes).unwrap_or(0);
    let raw: Vec<u8> = (0..count).flat_map(|_| (f32::from(random.byte()) / 128.0 - 1.0).to_le_bytes()).collect();
    let mut input = vec![rows];
    input.extend(sides.map(Side::Of));
    let graph = Graph::classifier(&input, tensor("w", FLOAT, &[size, classes], &raw));
    graph.node(Node::new("Identity", &["scores"], &["y"])).output("y", FLOAT, &[rows, Side::Of(classes)]).model()
}
