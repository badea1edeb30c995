"""Runs searches through what people use today and measures them.

    python compare.py art|keras PLAN.json OUT.json

art:   HopSkipJump of the adversarial-robustness-toolbox on a model that ONNX Runtime evaluates on the CPU.
keras: the search as the published program runs it: one Keras `predict` for every decision of the bisection and of the
       step search, one for all probes of a gradient.

PLAN.json: model (.onnx, for art), keras_model (.h5, for keras), data (.npz with x uint8 [n, h, w, c]), iterations,
initial_evaluations, threads, attacks: a list of {source, target, origin, start}, the last two being indices into x.
OUT.json: tool, threads, attacks: a list of {source, target, seconds, cpu_seconds, queries, distance, on_target}.

The toolbox ends with a step, without the bisection that the published program still makes: its last distance is larger.
"""
import json
import math
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

# Before ONNX Runtime is imported: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import threadpoolctl

SEED = 2022
MAX_EVALUATIONS = 30_000
MAX_HALVINGS = 64


class Model:
    """Counts the images that a search asks for, and ends it at `limit`: the toolbox's step search has no end itself."""

    def __init__(self, scores):
        self.scores, self.queries, self.limit = scores, 0, math.inf

    def __call__(self, images):
        self.queries += len(images)
        if self.queries > self.limit:
            sys.exit(f"a search was stopped at {self.limit} queries, more than it can need")
        return self.scores(images)


def load(plan, key, loader):
    """Messages name the file and not its folder."""
    path = Path(plan[key])
    if not path.is_file():
        sys.exit(f"the plan's {key}, {path.name}, does not exist")
    try:
        return loader(path)
    except Exception as error:  # whatever the loader raises for a file it does not know
        sys.exit(f"the plan's {key}, {path.name}, cannot be loaded: {type(error).__name__}")


def threshold(size):
    return 1 / (math.sqrt(size) * size)


def evaluations(plan, iteration):
    return min(int(plan["initial_evaluations"] * math.sqrt(iteration)), MAX_EVALUATIONS)


def prepare_art(plan):
    import onnxruntime

    # The toolbox warns of every framework that it misses and writes a settings file into the home folder when it is
    # imported.
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as home:
        warnings.simplefilter("ignore")
        with mock.patch.dict(os.environ, HOME=home, USERPROFILE=home):
            import art
            from art.attacks.evasion import HopSkipJump
            from art.estimators.classification import BlackBoxClassifierNeuralNetwork

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = plan["threads"]
    providers = ["CPUExecutionProvider"]
    session = load(
        plan, "model", lambda path: onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers))
    name, classes = session.get_inputs()[0].name, session.get_outputs()[0].shape[1]
    model = Model(lambda images: session.run(None, {name: images.astype(np.float32, copy=False)})[0])

    def search(origin, start, target, seed):
        np.random.seed(seed)  # the toolbox draws from the global generator
        classifier = BlackBoxClassifierNeuralNetwork(
            model, origin.shape, classes, channels_first=False, clip_values=(0, 1))
        iterations = plan["iterations"]
        # The batch size makes one call of every gradient.
        attack = HopSkipJump(classifier, batch_size=evaluations(plan, iterations), targeted=True, norm=2,
                             max_iter=iterations, max_eval=MAX_EVALUATIONS,
                             init_eval=plan["initial_evaluations"], verbose=False)
        attack.theta = threshold(origin.size)  # its own is wider: 0.01 / sqrt(size)
        return attack.generate(x=origin[None], y=np.array([target]), x_adv_init=start[None])[0]

    return f"adversarial-robustness-toolbox {art.__version__}, onnxruntime {onnxruntime.__version__}", model, search


def prepare_keras(plan):
    import tensorflow as tf
    import tf_keras

    tf.config.threading.set_intra_op_parallelism_threads(plan["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(plan["threads"])
    network = load(plan, "keras_model", lambda path: tf_keras.models.load_model(path, compile=False))
    model = Model(lambda images: network.predict(images, batch_size=len(images), verbose=0))

    def search(origin, start, target, seed):
        rng = np.random.default_rng(seed)
        theta = threshold(origin.size)

        def decide(images):
            return model(np.clip(images, 0, 1)).argmax(1) == target

        def bisect(point):
            low, high = 0.0, 1.0
            while high - low > theta:
                middle = (low + high) / 2
                inside = decide(((1 - middle) * origin + middle * point)[None])[0]
                low, high = (low, middle) if inside else (middle, high)
            return (1 - high) * origin + high * point

        def gradient(point, delta, count):
            directions = rng.standard_normal((count, *point.shape), np.float32)
            directions /= np.sqrt(np.square(directions).sum((1, 2, 3), keepdims=True))
            probes = np.clip(point + delta * directions, 0, 1)
            votes = np.where(decide(probes), np.float32(1), np.float32(-1))
            if abs(votes.sum()) < count:
                votes -= votes.mean()
            total = np.tensordot(votes, (probes - point) / delta, 1)
            norm = np.linalg.norm(total)
            return total / norm if norm > 0 else total

        point, before = bisect(start), 0.0
        for iteration in range(1, plan["iterations"] + 1):
            delta = 0.1 if iteration == 1 else math.sqrt(origin.size) * theta * before
            direction = gradient(point, delta, evaluations(plan, iteration))
            step = float(np.linalg.norm(point - origin)) / math.sqrt(iteration)
            for _ in range(MAX_HALVINGS):
                ahead = np.clip(point + step * direction, 0, 1)
                if decide(ahead[None])[0]:
                    point = ahead
                    break
                step /= 2
            before = float(np.linalg.norm(point - origin))
            point = bisect(point)
        return point

    return f"tf_keras {tf_keras.__version__}, tensorflow {tf.__version__}", model, search


TOOLS = {"art": prepare_art, "keras": prepare_keras}


def measure(plan, attack, index, pixels, model, search):
    origin, start = (pixels[attack[key]].astype(np.float32) / np.float32(255) for key in ("origin", "start"))
    source, target = attack["source"], attack["target"]
    # The check is the warm-up too, with the kinds of batch that are to come: one image and several.
    labels = [int(model.scores(image[None]).argmax()) for image in (origin, start)]
    model.scores(np.stack([origin, start]))
    if labels != [source, target]:
        sys.exit(
            f"attack {index}: the model gives origin and start the labels {labels}; the plan says {[source, target]}")

    gradients = sum(evaluations(plan, iteration) for iteration in range(1, plan["iterations"] + 1))
    model.queries, model.limit = 0, gradients + (plan["iterations"] + 1) * 2 * MAX_HALVINGS
    wall, cpu = time.perf_counter(), time.process_time()
    final = search(origin, start, target, SEED + index)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return dict(source=source, target=target, seconds=wall, cpu_seconds=cpu, queries=model.queries,
                distance=float(np.linalg.norm(final - origin)),
                on_target=bool(model.scores(final[None]).argmax() == target))


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in TOOLS:
        sys.exit("usage: compare.py art|keras PLAN.json OUT.json")
    tool, plan_path, out_path = arguments
    try:
        plan = json.loads(Path(plan_path).read_text())
        if any(type(plan[key]) is not int or plan[key] < 1 for key in ("iterations", "initial_evaluations", "threads")):
            sys.exit("the plan's iterations, initial_evaluations and threads have to be whole numbers from 1")
        with threadpoolctl.threadpool_limits(plan["threads"]):
            pixels = load(plan, "data", lambda path: np.load(path)["x"])
            versions, model, search = TOOLS[tool](plan)
            attacks = [measure(plan, attack, k, pixels, model, search) for k, attack in enumerate(plan["attacks"])]
        out = dict(tool=versions, threads=plan["threads"], attacks=attacks)
        Path(out_path).write_text(json.dumps(out, indent=1) + "\n")
    except OSError as error:
        sys.exit(f"{Path(error.filename or '').name}: {error.strerror}")
    except (json.JSONDecodeError, KeyError, IndexError) as error:
        sys.exit(f"{Path(plan_path).name} is no plan that fits: {type(error).__name__} {error}")
    except ImportError as error:
        sys.exit(f"{tool} needs {error.name}, which is not installed (see requirements-measure.txt)")


if __name__ == "__main__":
    main(sys.argv[1:])
