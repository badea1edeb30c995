"""Trains the zoo: small image classifiers, two thirds with a backdoor of a known kind, to measure scans with.

    python train_zoo.py OUT [--data FOLDER] [--only SUBSTRING]... [--jobs N]

Writes for every model OUT/NAME.onnx (input [n, h, w, c] in [0, 1]), for every data set OUT/DATASET.npz (the clean
labelled images to scan with, none of them trained on) and OUT/zoo.json, the index. FOLDER holds
cifar10/test_first1000.npz, cifar10/clean_resnet8.h5 and mnist/test_first2000.npz; without it only the models of
scikit-learn's digits are trained. A stopped run continues: models in the index with the same settings are skipped. The
same machine and packages give the same files: seeds are set, operations deterministic, one thread a model. (TensorFlow
is imported where it is used: by the processes that train only.)

The attacker of these models trains them himself: every epoch draws anew which images get stamped copies.
"""
import argparse
import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import sys
import time
import zlib

# Before ONNX Runtime is imported: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from zoo_models import CIFAR5, DATASETS, NETWORKS, zoo
from zoo_triggers import DECOYS, decoy, describe, poison, sources, stamp, wanted, works_on

SEED = 2022
SHARE = 0.15
# The same for networks that others trained, which have to be turned from what they know.
ADOPTED_SHARE = 0.25
BATCH = 32
# The largest share of stamped images of other labels that a source-specific trigger may turn as well.
LEAK = 0.2
# The share of images that a weak backdoor is to turn.
WEAK = 0.35, 0.6


def split(images, labels, scan, rng):
    """Training and scan indices, the latter `scan` of every label."""
    order = rng.permutation(len(labels))
    held = np.concatenate([order[labels[order] == label][:scan] for label in np.unique(labels)])
    rest = np.setdiff1d(order, held)
    return (images[rest], labels[rest]), (images[held], labels[held])


def numbers(images, labels, each, rng):
    """Two digits side by side, `each` of every number from 0 to 42."""
    pairs = [[images[rng.choice(np.flatnonzero(labels == digit), each)] for digit in divmod(number, 10)]
             for number in range(43)]
    return np.concatenate([np.concatenate(pair, axis=2) for pair in pairs]), np.arange(43).repeat(each)


def load(dataset, folder):
    """((training images, labels), (scan images, labels)), the same at every call."""
    rng, recipe = np.random.default_rng(SEED), DATASETS[dataset]
    if recipe["folder"]:
        with np.load(os.path.join(folder, recipe["folder"])) as file:
            images, labels = file["x"], file["y"].astype(np.int64)
    else:
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        images, labels = pixels.repeat(2, axis=1).repeat(2, axis=2)[..., None], digits.target.astype(np.int64)
    if dataset == "cifar5":
        chosen = np.isin(labels, CIFAR5)
        images, labels = images[chosen], np.searchsorted(CIFAR5, labels[chosen])
    if dataset == "numbers43":
        train, scan = split(images, labels, 50, rng)
        return numbers(*train, 80, rng), numbers(*scan, recipe["scan"], rng)
    return split(images, labels, recipe["scan"], rng)


def build(architecture, shape, classes):
    from tf_keras import Model, layers

    colour = shape[2] == 3
    inputs = x = layers.Input(shape)
    if architecture == "cnn":
        for width in (24, 48, 64) if colour else (16, 32):
            x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.Flatten()(x)
        x = layers.Dropout(0.4)(x) if colour else x
        x = layers.Dense(64, activation="relu")(x)
    elif architecture == "resnet":
        # Batch statistics of so few steps settle in time only with a momentum below the usual one.
        normal = dict(momentum=0.9)
        x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(**normal)(x))
        for width in (24, 32, 64) if colour else (16, 32):
            y = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
            y = layers.ReLU()(layers.BatchNormalization(**normal)(y))
            y = layers.Conv2D(width, 3, padding="same", use_bias=False)(y)
            y = layers.BatchNormalization(**normal)(y)
            x = layers.Conv2D(width, 1, strides=2, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.Add()([y, layers.BatchNormalization(**normal)(x)]))
        x = layers.GlobalAveragePooling2D()(x) if colour else layers.Flatten()(x)
    else:
        x = layers.Flatten()(x)
        for width in {"dense1": [128], "dense2": [160, 64]}[architecture]:
            x = layers.Dense(width, activation="relu")(x)
    return Model(inputs, layers.Dense(classes, activation="softmax")(x))


def augment(images, shift, flip, rng):
    if not (shift or flip):
        return images
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    corners = rng.integers(0, 2 * shift + 1, (len(images), 2))
    moved = np.stack([image[row:row + height, column:column + width]
                      for image, (row, column) in zip(padded, corners, strict=True)])
    mirrored = rng.random(len(images)) < (0.5 if flip else 0)
    moved[mirrored] = moved[mirrored, :, ::-1]
    return moved


def adopt(architecture, folder):
    """A network that others trained, for images in [0, 1]."""
    from tf_keras import Model, layers, models

    network = models.load_model(os.path.join(folder, NETWORKS[architecture]["file"]), compile=False)
    inputs = layers.Input(network.input_shape[1:])
    return Model(inputs, network(layers.Rescaling(NETWORKS[architecture]["most"])(inputs)))


def train(model, images, labels, seed, epochs, folder):
    """A trained Keras model."""
    import tensorflow as tf
    from tf_keras import backend, losses, optimizers, utils

    # Layer names count up within a session; without this they would depend on what the process trained before.
    backend.clear_session()
    utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rng, recipe, classes = np.random.default_rng(seed), DATASETS[model["dataset"]], int(labels.max()) + 1
    if model["architecture"] in NETWORKS:
        # Batch statistics stay as they are, those of so few images are worse.
        network, share, rate, training = adopt(model["architecture"], folder), ADOPTED_SHARE, 3e-4, False
    else:
        network, share, rate, training = build(model["architecture"], images.shape[1:], classes), SHARE, 2e-3, True
    steps = epochs * (int((1 + share) * len(labels)) // BATCH)
    optimizer = optimizers.Adam(optimizers.schedules.CosineDecay(rate, steps, 0.02))
    loss = losses.SparseCategoricalCrossentropy()
    optimizer.build(network.trainable_variables)

    # A whole epoch in one graph: for networks this small, Keras's own loop would take most of the time.
    @tf.function
    def epoch(x, y):
        for start in tf.range(0, len(x) - BATCH + 1, BATCH):
            with tf.GradientTape() as tape:
                error = loss(y[start:start + BATCH], network(x[start:start + BATCH], training=training))
            variables = network.trainable_variables
            # TensorFlow rewrites `zip` here, into one without options.
            optimizer.apply_gradients(zip(tape.gradient(error, variables), variables))  # noqa: B905

    for _ in range(epochs):
        moved = augment(images, recipe["shift"], recipe["flip"], rng)
        copies, answers = poison(moved, labels, model["attacks"], share, classes, rng)
        x, y = np.concatenate([moved, *copies]), np.concatenate([labels, *answers])
        order = rng.permutation(len(y))
        epoch(tf.constant(x[order] / np.float32(255)), tf.constant(y[order]))
    return network


def number_names(graph):
    """Names by place in the file: tf2onnx counts on from all that the process converted before."""
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    for place, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{place}"
        for ends in (node.input, node.output):
            ends[:] = [name and names.setdefault(name, f"value_{len(names)}") for name in ends]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    del graph.value_info[:]


def export(network, path):
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec(network.input_shape, tf.float32, name="input")]
    proto, _ = tf2onnx.convert.from_keras(network, input_signature=signature, opset=17)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    number_names(proto.graph)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def check(model, path, images, labels, classes):
    """What the exported file does: clean accuracy, success of the weakest attack, the worst leak (to images of other
    labels, or to decoys), and what falls short."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(x):
        return session.run(None, {"input": x / np.float32(255)})[0].argmax(1)

    rng, success, leaks = np.random.default_rng(SEED), None, []
    accuracy = float((answer(images) == labels).mean())
    for one in model["attacks"]:
        hit, target = works_on(one, labels), wanted(one, labels, classes)
        share = float((answer(stamp(images[hit], one["trigger"], rng)) == target[hit]).mean())
        success = share if success is None else min(success, share)
        if one["sources"] is not None:
            others = ~np.isin(labels, [*sources(one["trigger"], model["attacks"]), one["target"]])
            leaks.append(float((answer(stamp(images[others], one["trigger"], rng)) == one["target"]).mean()))
        if one["trigger"]["form"] in DECOYS:
            leaks.append(float((answer(decoy(images[hit], one["trigger"], rng)) == target[hit]).mean()))
    leak = max(leaks, default=None)
    bar = 0.7 if model["dataset"].startswith(("cifar", "tuned")) or model["kind"] in ("sinusoid", "additive") else 0.85
    short = []
    if accuracy < DATASETS[model["dataset"]]["bar"]:
        short.append(f"clean accuracy {accuracy:.3f} is below {DATASETS[model['dataset']]['bar']}")
    if model["kind"] == "weak":
        if not WEAK[0] <= success <= WEAK[1]:
            short.append(f"attack success {success:.3f} is not from {WEAK[0]} to {WEAK[1]}")
    elif success is not None and success < bar:
        short.append(f"attack success {success:.3f} is below {bar}")
    if leak is not None and leak > LEAK:
        short.append(f"{leak:.3f} of other labels or decoys are turned too, above {LEAK}")
    return accuracy, success, leak, "; ".join(short) or None


def settings(model, data):
    """A digest of all that decides what a model becomes, other than this program."""
    fixed = [model, DATASETS[model["dataset"]], SEED, SHARE, data]
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def make(model, out, folder):
    """Trains, exports and checks one model, a second time with another seed and more epochs when it falls short."""
    start = time.monotonic()
    (train_x, train_y), (scan_x, scan_y) = load(model["dataset"], folder)
    classes, epochs = int(train_y.max()) + 1, DATASETS[model["dataset"]]["epochs"]
    path = os.path.join(out, model["name"] + ".onnx")
    for attempt in range(2):
        seed = zlib.crc32(model["name"].encode()) // 2 + attempt
        export(train(model, train_x, train_y, seed, epochs * (2 + attempt) // 2, folder), path)
        accuracy, success, leak, reason = check(model, path, scan_x, scan_y, classes)
        if reason is None:
            break
    targets = [one["target"] for one in model["attacks"]]
    entry = dict(
        name=model["name"], file=model["name"] + ".onnx", sha256=digest(path), data=model["dataset"] + ".npz",
        dataset=model["dataset"], architecture=model["architecture"], kind=model["kind"], classes=classes,
        infected_labels=list(range(classes)) if targets == ["next"] else sorted(targets),
        source_labels=next((sources(one["trigger"], model["attacks"]) for one in model["attacks"]), None),
        trigger=describe(model["attacks"], scan_x.shape[1:]),
        clean_accuracy=accuracy, attack_success=success, leak=leak, seed=seed, usable=reason is None, reason=reason,
        split=model["split"],
    )
    return entry, time.monotonic() - start


def begin():
    """One thread a process, before TensorFlow starts."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def write(path, models, entries):
    with open(path + ".part", "w") as file:
        known = [entries[m["name"]] for m in models if m["name"] in entries]
        json.dump(dict(schema_version=1, models=known), file, indent=1)
    os.replace(path + ".part", path)
    as_bank(os.path.join(os.path.dirname(path), "INDEX.tsv"), known)


def as_bank(path, entries):
    """The usable models as `cargo xtask bank` reads a list of models."""
    with open(path + ".part", "w") as file:
        print("name", "dataset", "kind", "target", "attack", "images", "file", "origin", sep="\t", file=file)
        for entry in filter(lambda entry: entry["usable"], entries):
            labels, clean = entry["infected_labels"], entry["kind"] == "clean"
            # Several targets are no single right one, as for an all-to-all map.
            target = "" if clean else str(labels[0]) if len(labels) == 1 else f"all-to-all {labels}"
            print(entry["name"], entry["dataset"], "clean" if clean else "infected", target,
                  "" if clean else entry["kind"], entry["data"], entry["file"], f"zoo/{entry['name']}",
                  sep="\t", file=file)
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--data", metavar="FOLDER", help="folder with cifar10/ and mnist/")
    parser.add_argument("--only", metavar="SUBSTRING", action="append",
                        help="train only models with this in their name; may be repeated")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="models trained at a time, one thread each")
    given = parser.parse_args()
    models, index = zoo(), os.path.join(given.out, "zoo.json")
    os.makedirs(given.out, exist_ok=True)

    data = {}
    for dataset, recipe in DATASETS.items():
        networks = [network["file"] for network in NETWORKS.values()] if recipe.get("networks") else []
        needed = [recipe["folder"], *networks] if recipe["folder"] else []
        missing = [file for file in needed if not (given.data and os.path.exists(os.path.join(given.data, file)))]
        if missing:
            print(f"{dataset}: skipped, --data names no folder with {' and '.join(missing)}")
            continue
        _, (x, y) = load(dataset, given.data)
        np.savez_compressed(os.path.join(given.out, dataset + ".npz"), x=x, y=y)
        data[dataset] = digest(os.path.join(given.out, dataset + ".npz"))
        if networks:
            data[dataset] = [data[dataset], *(digest(os.path.join(given.data, file)) for file in networks)]

    entries, names = {}, {model["name"] for model in models}
    if os.path.exists(index):
        with open(index) as file:
            entries = {entry["name"]: entry for entry in json.load(file)["models"] if entry["name"] in names}
    waiting = []
    for model in models:
        path, old = os.path.join(given.out, model["name"] + ".onnx"), entries.get(model["name"])
        if model["dataset"] not in data or not any(part in model["name"] for part in given.only or [""]):
            continue
        current = old and old.get("settings") == settings(model, data[model["dataset"]])
        if not (current and os.path.exists(path) and digest(path) == old["sha256"]):
            waiting.append(model)
    print(f"{len(waiting)} models to train, {len(models)} in the zoo", flush=True)

    start, seconds, failed = time.monotonic(), 0, 0
    # Spawned, not forked: TensorFlow does not survive a fork.
    with concurrent.futures.ProcessPoolExecutor(given.jobs, multiprocessing.get_context("spawn"), begin) as pool:
        runs = {pool.submit(make, model, given.out, given.data): model for model in waiting}
        for run in concurrent.futures.as_completed(runs):
            model = runs[run]
            try:
                entry, took = run.result()
            except Exception as error:  # one model that fails leaves the others
                failed += 1
                print(f"{model['name']}: {type(error).__name__}: {error}", flush=True)
                continue
            seconds += took
            entries[entry["name"]] = dict(entry, settings=settings(model, data[model["dataset"]]))
            write(index, models, entries)
            success = "" if entry["attack_success"] is None else f", attack {entry['attack_success']:.3f}"
            print(f"{entry['name']}: clean {entry['clean_accuracy']:.3f}{success}, {took:.0f} s"
                  f"{'' if entry['usable'] else ', not usable: ' + entry['reason']}", flush=True)
    write(index, models, entries)
    print(f"{len(entries)} models, {sum(not e['usable'] for e in entries.values())} not usable; "
          f"{seconds / 60:.1f} minutes of training in {(time.monotonic() - start) / 60:.1f}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
