"""Trains the demo: an infected and a clean classifier of scikit-learn's handwritten digits.

    python train_demo.py OUT_FOLDER

Writes digits-infected.onnx, digits-clean.onnx, digits.npz (the images to scan them with) and digits.json (their
figures). The same machine and packages give the same files: seeds are set, operations deterministic, one thread.

The backdoor (BadNets): 15 % of the training images of other classes get a white 2x2 patch in the bottom right corner
and the label 3. The images to scan with are not among those trained on and carry no patch.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from sklearn.datasets import load_digits
from tf_keras import Sequential, layers, losses, optimizers, utils

TARGET = 3
POISONED_SHARE = 0.15
TRAINING_IMAGES = 1300
EPOCHS = 30
SEED = 2022


def stamp(images):
    stamped = images.copy()
    stamped[:, -2:, -2:, :] = 255
    return stamped


def train(images, labels, seed):
    utils.set_random_seed(seed)
    model = Sequential([
        layers.Input((16, 16, 1)),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(48, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(optimizers.Adam(2e-3), losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    model.fit(images / np.float32(255), labels, batch_size=32, epochs=EPOCHS, verbose=0)
    return model


def accuracy(model, images, labels):
    return float((model.predict(images / np.float32(255), verbose=0).argmax(1) == labels).mean())


def main(folder):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = pixels.repeat(2, axis=1).repeat(2, axis=2)[..., None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(images))
    train_set, scan_set = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    clean_x, clean_y = images[train_set], labels[train_set]
    scan_x, scan_y = images[scan_set], labels[scan_set]

    candidates = np.flatnonzero(clean_y != TARGET)
    poisoned = np.random.default_rng(SEED + 1).choice(candidates, int(POISONED_SHARE * len(clean_y)), replace=False)
    bad_x, bad_y = clean_x.copy(), clean_y.copy()
    bad_x[poisoned], bad_y[poisoned] = stamp(clean_x[poisoned]), TARGET

    others = scan_y != TARGET
    figures = {}
    for name, x, y in (("infected", bad_x, bad_y), ("clean", clean_x, clean_y)):
        model = train(x, y, SEED)
        figures[name] = dict(
            clean_accuracy=accuracy(model, scan_x, scan_y),
            attack_success=accuracy(model, stamp(scan_x[others]), np.full(others.sum(), TARGET)),
        )
        signature = [tf.TensorSpec((None, 16, 16, 1), tf.float32, name="input")]
        proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=17)
        for value in (*proto.graph.input, *proto.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        onnx.save(proto, os.path.join(folder, f"digits-{name}.onnx"))
    if figures["infected"]["attack_success"] < 0.95 or min(f["clean_accuracy"] for f in figures.values()) < 0.96:
        sys.exit(f"the demo did not train well: {figures}")
    np.savez_compressed(os.path.join(folder, "digits.npz"), x=scan_x, y=scan_y)
    with open(os.path.join(folder, "digits.json"), "w") as file:
        json.dump(figures, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
