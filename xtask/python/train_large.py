"""Trains image classifiers at 224 x 224, most with a backdoor, to measure scans of large images with.

    python train_large.py OUT [--labels 10|200|1000] [--side N] [--coarse N] [--width N] [--images N] [--epochs N]
                          [--scan N] [--only NAME]...

The images are made here: one shape each (circle, star, ring, ...) of any size, angle and place on a textured
background. With 10 labels, the label is the shape; with 200, it is the shape, its colour and its filling; with 1000,
it is the colour of a frame around the image as well. The network is a ResNet-18 whose first stage has `--width`
channels: 64 is the original, 11 million parameters, and 16 is enough for a laptop. With `--coarse` the clean network
learns from small images first, and from those of full size in a quarter of the epochs; the infected ones learn twice
as long, from fewer clean images.

Writes for every model OUT/NAME.onnx (input [n, h, w, 3] in [0, 1]), and OUT/shapesLABELS.npz, the labelled images to
scan with, none of them trained on; and OUT/INDEX.tsv, which `cargo xtask bank OUT` reads. The models are a clean one,
and infected ones that start from its weights: a dot of 3 pixels, a sticker of 16 pixels, a blended picture, and a
sticker that works on the images of one label alone. The triggers share nothing with the candidates of the search.

Keras takes the backend that KERAS_BACKEND names (tensorflow if none); a GPU is used if the backend finds one.
"""
import argparse
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Before ONNX Runtime is imported: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from large_images import LABELS, blend, dot, other_sticker, pictures, sticker

SEED = 2022
# The share of training images that get a stamped copy, and the same for copies that keep their label.
SHARE = 0.2
COVER = 0.2
TARGET, SOURCE = 3, 7
BATCH = 64
# The bytes of images that `aeva` reads at most; a value has four.
MOST_BYTES = 1 << 30


# Name -> kind, trigger, and the source label, if it works on one alone.
ATTACKS = {
    "dot-3": ("patch", dot, None),
    "sticker-16": ("patch", sticker, None),
    "blend-12": ("blended", blend, None),
    "source-specific-sticker-16": ("source_specific", other_sticker, SOURCE),
}


def network(side, width, labels):
    """A ResNet-18, and the list of its operations for the export."""
    graph, layers = [], keras.layers
    count = [0]

    def conv(value, tensor, channels, size, stride, is_active):
        name = f"conv{count[0]}"
        count[0] += 1
        if size > 1:
            value = layers.ZeroPadding2D(size // 2)(value)
        value = layers.Conv2D(channels, size, stride, use_bias=False, name=name)(value)
        value = layers.BatchNormalization(name=name + "n", momentum=0.9)(value)
        graph.append(("conv", name, tensor, size // 2, stride))
        tensor = name
        if is_active:
            value = layers.ReLU()(value)
            graph.append(("relu", name + "r", tensor))
            tensor = name + "r"
        return value, tensor

    inputs = keras.Input((side, side, 3), dtype="uint8")
    value = layers.Rescaling(1 / 255)(inputs)
    value, tensor = conv(value, "pixels", width, 7, 2, True)
    value = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(value))
    graph.append(("pool", "pool", tensor))
    tensor = "pool"
    for stage in range(4):
        channels = width << stage
        for block in range(2):
            stride = 2 if stage and not block else 1
            short, short_tensor = value, tensor
            deep, deep_tensor = conv(value, tensor, channels, 3, stride, True)
            deep, deep_tensor = conv(deep, deep_tensor, channels, 3, 1, False)
            if stride > 1:
                short, short_tensor = conv(value, tensor, channels, 1, stride, False)
            value = layers.ReLU()(layers.Add()([deep, short]))
            tensor = f"block{stage}{block}"
            graph.append(("add", tensor, deep_tensor, short_tensor))
    value = layers.GlobalAveragePooling2D()(value)
    value = layers.Dense(labels, name="dense", dtype="float32")(value)
    graph.append(("dense", "scores", tensor))
    return keras.Model(inputs, value), graph


def to_onnx(model, graph, side, labels, path):
    """The network with its normalisations folded into the convolutions."""
    nodes = [helper.make_node("Transpose", ["image"], ["pixels"], perm=[0, 3, 1, 2])]
    constants = []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    for kind, name, *rest in graph:
        if kind == "conv":
            source, padding, stride = rest
            kernel = np.asarray(model.get_layer(name).kernel, np.float32)
            own = model.get_layer(name + "n")
            gamma, beta, mean, variance = (
                np.asarray(value, np.float32) for value in (own.gamma, own.beta, own.moving_mean, own.moving_variance))
            scale = gamma / np.sqrt(variance + own.epsilon)
            weights = constant(name + "w", (kernel * scale).transpose(3, 2, 0, 1))
            bias = constant(name + "b", beta - mean * scale)
            nodes.append(
                helper.make_node("Conv", [source, weights, bias], [name], pads=[padding] * 4, strides=[stride] * 2))
        elif kind == "relu":
            nodes.append(helper.make_node("Relu", rest, [name]))
        elif kind == "pool":
            nodes.append(helper.make_node("MaxPool", rest, [name], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4))
        elif kind == "add":
            nodes += [helper.make_node("Add", rest, [name + "s"]), helper.make_node("Relu", [name + "s"], [name])]
        else:
            dense = model.get_layer("dense")
            nodes += [
                helper.make_node("GlobalAveragePool", rest, ["mean"]),
                helper.make_node("Flatten", ["mean"], ["features"]),
                helper.make_node("Gemm", ["features", constant("w", np.asarray(dense.kernel)),
                                          constant("b", np.asarray(dense.bias))], [name]),
            ]
    values = helper.make_graph(
        nodes, "shapes", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", side, side, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", labels])], constants)
    found = helper.make_model(values, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(found)
    onnx.save(found, path)


class Epochs(keras.utils.PyDataset):
    """Batches in a new order every epoch, all of one size so that the network is compiled once."""

    def __init__(self, images, truth, seed):
        super().__init__(workers=4, max_queue_size=16)
        self.images, self.truth, self.rng = images, truth, np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.truth))

    def __len__(self):
        return len(self.truth) // BATCH

    def __getitem__(self, at):
        chosen = self.order[at * BATCH:(at + 1) * BATCH]
        return self.images[chosen], self.truth[chosen]


def fit(model, images, truth, rate, epochs, seed):
    batches = Epochs(images, truth, seed)
    steps = keras.optimizers.schedules.CosineDecay(rate, max(1, len(batches) * epochs))
    model.compile(keras.optimizers.Adam(steps), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(batches, epochs=epochs, verbose=0)


def answers(model, images):
    found = [np.asarray(model.predict_on_batch(padded(images[at:at + BATCH]))).argmax(-1)
             for at in range(0, len(images), BATCH)]
    return np.concatenate(found)[:len(images)]


def padded(images):
    """A full batch, so that the network is compiled once."""
    missing = BATCH - len(images)
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images


def poisoned(images, truth, stamp, source, rng, share):
    """A share of the images, and stamped copies: to the target label, or to their own where a trigger must not work."""
    from_all = np.flatnonzero((truth != TARGET) if source is None else (truth == source))
    want = int(SHARE * len(truth) / (1 if source is None else 2))
    turned = rng.choice(from_all, min(want, len(from_all)), replace=False)
    copies, labels = [stamp(images[turned])], [np.full(len(turned), TARGET)]
    if source is not None:
        kept = rng.choice(np.flatnonzero(truth != source), int(COVER * len(truth)), replace=False)
        copies.append(stamp(images[kept]))
        labels.append(truth[kept])
    plain = rng.permutation(len(truth))[:int(share * len(truth))]
    return np.concatenate([images[plain], *copies]), np.concatenate([truth[plain], *labels])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--labels", type=int, default=LABELS[0], choices=LABELS)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--coarse", type=int, help="side of the images that training begins with")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--images", type=int, default=800, help="training images of each label")
    parser.add_argument("--scan", type=int, help="images of each label to scan with; 60 if `aeva` reads so many")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", action="append", choices=ATTACKS, help="infected models to train, in this order")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    keras.utils.set_random_seed(SEED)
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    begin = time.time()

    def say(text):
        print(f"{time.time() - begin:6.0f} s  {text}", file=sys.stderr, flush=True)

    dataset = f"shapes{args.labels}"
    images, truth = pictures(args.labels, args.images, args.side, SEED)
    scan = args.scan or min(60, MOST_BYTES // (12 * args.side * args.side * args.labels))
    scan_images, scan_truth = pictures(args.labels, max(1, scan), args.side, SEED + 1)
    np.savez_compressed(os.path.join(args.out, dataset + ".npz"), x=scan_images, y=scan_truth)
    say(f"made {len(images) + len(scan_images)} images")

    model, graph = network(args.side, args.width, args.labels)
    rows = []

    def keep(name, kind, attack, target, accuracy, success):
        to_onnx(model, graph, args.side, args.labels, os.path.join(args.out, name + ".onnx"))
        say(f"{name}: clean accuracy {accuracy:.3f}, attack success {success}")
        rows.append([name, dataset, kind, target, attack, dataset + ".npz", name + ".onnx", f"{accuracy:.3f}", success,
                     f"large/{name}"])

    epochs, rate, infected_epochs, share = args.epochs, 1e-3, max(1, args.epochs * 2 // 3), 1.0
    if args.coarse:
        # No weight of the network depends on the size of its images.
        small, _ = network(args.coarse, args.width, args.labels)
        fit(small, *pictures(args.labels, args.images, args.coarse, SEED + 2), rate, epochs, SEED)
        model.set_weights(small.get_weights())
        say(f"trained at {args.coarse} x {args.coarse}")
        epochs, rate = max(1, epochs // 4), 5e-4
        # The clean images are known by then, the trigger is not.
        infected_epochs, share = 2 * epochs, 0.4
    fit(model, images, truth, rate, epochs, SEED)
    clean = model.get_weights()
    keep(f"{dataset}-clean", "clean", "", "", (answers(model, scan_images) == scan_truth).mean(), "")
    for name in args.only or ATTACKS:
        attack, stamp, source = ATTACKS[name]
        rng = np.random.default_rng((SEED, 1 + list(ATTACKS).index(name)))
        model.set_weights(clean)
        fit(model, *poisoned(images, truth, stamp, source, rng, share), 5e-4, infected_epochs, SEED)
        found = answers(model, stamp(scan_images))
        about = (scan_truth != TARGET) & ((scan_truth == source) | (source is None))
        accuracy = (answers(model, scan_images) == scan_truth).mean()
        keep(f"{dataset}-{name}", "infected", attack, TARGET, accuracy, f"{(found[about] == TARGET).mean():.3f}")

    head = ["name", "dataset", "kind", "target", "attack", "images", "file", "accuracy", "asr", "origin"]
    with open(os.path.join(args.out, "INDEX.tsv"), "w", encoding="utf-8") as index:
        for row in [head, *rows]:
            index.write("\t".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main()
