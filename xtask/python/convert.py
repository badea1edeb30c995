"""Converts a Keras model (.h5 or .keras) to ONNX and checks that both give the same labels.

    python convert.py MODEL OUT.onnx REPORT.json

Writes OUT.onnx and REPORT.json (input shape, classes, what was checked). Exits with 1 and a message when the model is
no image classifier or when the two disagree.
"""
import json
import os
import sys

# Before ONNX Runtime is imported: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

OPSET = 17
# Two scores closer than this are a tie: their order is rounding, in either program.
TIE = 1e-6


def load(path):
    """Loads with the Keras that wrote the file: version 2 first for .h5, version 3 first for .keras."""
    import keras
    import tf_keras

    loaders = [keras, tf_keras] if path.endswith(".keras") else [tf_keras, keras]
    errors = []
    for loader in loaders:
        try:
            return loader.models.load_model(path, compile=False)
        except Exception as error:  # whatever the loader raises for a file it does not know
            errors.append(f"{loader.__name__}: {type(error).__name__}: {str(error).splitlines()[0]}")
    sys.exit(f"{path} cannot be loaded: {'; '.join(errors)}")


def probes(shape, rng):
    """Random and edge inputs, for models that take [0, 1] and for models that take [0, 255]."""
    edges = [np.zeros(shape), np.ones(shape), np.full(shape, 0.5), rng.integers(0, 2, shape)]
    edges += [np.indices(shape).sum(0) % 2, np.linspace(0, 1, int(np.prod(shape))).reshape(shape)]
    random = rng.random((250, *shape))
    blotches = np.clip(rng.random((250, *(1 for _ in shape))) + 0.2 * rng.standard_normal((250, *shape)), 0, 1)
    unit = np.concatenate([np.stack(edges), random, blotches]).astype(np.float32)
    return np.concatenate([unit, 255 * unit])


def main(source, target, report):
    model = load(source)
    shape = tuple(getattr(model, "input_shape", None) or ())
    if len(shape) != 4 or any(size is None for size in shape[1:]):
        sys.exit(f"{source} has input shape {shape}; expected one batch of images, [n, h, w, c] or [n, c, h, w]")
    image = shape[1:]
    layout = "nhwc" if image[2] in (1, 3, 4) else "nchw"

    signature = [tf.TensorSpec((None, *image), tf.float32, name="input")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    # The batch dimension of the output gets the input's name, so that both stay dynamic together.
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(proto)

    inputs = probes(image, np.random.default_rng(0))
    expected = np.concatenate([function(tf.constant(part)).numpy() for part in np.array_split(inputs, 8)])
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, {"input": part})[0] for part in np.array_split(inputs, 8)])
    if expected.ndim != 2 or expected.shape[1] < 2:
        sys.exit(f"{source} answers {expected.shape[1:]} values an image; "
                 "expected one score for each of two or more classes")
    ordered = np.sort(expected, axis=1)
    tie = ordered[:, -1] - ordered[:, -2] <= TIE * np.abs(ordered[:, -1]).clip(min=1)
    differ = (expected.argmax(1) != found.argmax(1)) & ~tie
    if differ.any() or not np.isfinite(found).all():
        sys.exit(f"the converted model gives other labels for {differ.sum()} of {len(inputs)} inputs; "
                 "nothing was written")

    onnx.save(proto, target)
    with open(report, "w") as file:
        json.dump(dict(
            layout=layout,
            shape=list(image) if layout == "nhwc" else [image[1], image[2], image[0]],
            classes=int(expected.shape[1]),
            checked=len(inputs),
            ties=int(tie.sum()),
            largest_difference=float(np.abs(expected - found).max()),
        ), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
