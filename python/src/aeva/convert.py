"""Converts Keras and PyTorch models to ONNX, and checks that both give the same labels.

    python -m aeva.convert MODEL --out MODEL.onnx [--shape H,W,C]

MODEL is a Keras file (.h5, .keras) or a TorchScript file (.pt). A manifest, MODEL.toml, is written beside the result.
Exits with 1 and a message if the model is no image classifier, or if the two disagree; then nothing is written.

Keras models need the packages `tensorflow`, `tf2onnx` and `onnx`, and PyTorch models need `torch`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Sequence

# Before ONNX Runtime is imported: it reports to its makers otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np

OPSET = 17
# Two scores closer than this are a tie: their order is rounding, in either program.
TIE = 1e-6
# TensorFlow and TF-Keras print a lot unless they are told not to.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}


class ConversionError(RuntimeError):
    """A model that cannot be converted, or that gives other labels afterwards."""


def is_torch(model: Any) -> bool:
    """Whether this is a module of PyTorch. PyTorch is not imported for it."""
    return _is_a(model, "torch.nn.modules.module", "Module")


def is_keras(model: Any) -> bool:
    """Whether this is a model of Keras, of version 2 or 3. Keras is not imported for it."""
    return any(_is_a(model, module, "Model") for module in (
        "keras.src.models.model", "keras.src.engine.training", "tf_keras.src.engine.training"
    ))


def _is_a(model: Any, module: str, name: str) -> bool:
    return any((base.__module__, base.__name__) == (module, name) for base in type(model).__mro__)


def load(path: str) -> Any:
    """Loads a model from a file."""
    if not Path(path).is_file():
        raise ConversionError(f"there is no file {path}")
    if path.endswith((".pt", ".pth", ".ts")):
        return _load_torch(path)
    return _load_keras(path)


def _load_keras(path: str) -> Any:
    """Loads with the Keras that wrote the file: version 2 first for .h5, version 3 first for .keras."""
    _tensorflow()
    loaders, errors = [], []
    for name in ("keras", "tf_keras") if path.endswith(".keras") else ("tf_keras", "keras"):
        try:
            loaders.append(__import__(name))
        except ImportError as error:
            errors.append(str(error))
    for loader in loaders:
        try:
            return loader.models.load_model(path, compile=False)
        except Exception as error:  # whatever the loader raises for a file it does not know
            errors.append(f"{loader.__name__}: {type(error).__name__}: {str(error).splitlines()[0]}")
    raise ConversionError(f"{path} cannot be loaded: {'; '.join(errors)}")


def _load_torch(path: str) -> Any:
    torch = _needs("torch", "PyTorch models")
    try:
        return torch.jit.load(path, map_location="cpu")
    except Exception as error:
        raise ConversionError(
            f"{path} is no TorchScript file ({str(error).splitlines()[0]}); a file of weights alone cannot be "
            "converted: build the model in Python, load the weights, and call aeva.scan(model, ...) or "
            "torch.jit.script(model).save(path)"
        ) from error


def _needs(name: str, what: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise ConversionError(f"{what} need the package {name.replace('.', '-')}: pip install {name}") from error


def _tensorflow() -> Any:
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    return _needs("tensorflow", "Keras models")


def probes(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Random and edge inputs, for models that take [0, 1] and for models that take [0, 255]."""
    edges = [np.zeros(shape), np.ones(shape), np.full(shape, 0.5), rng.integers(0, 2, shape)]
    edges += [np.indices(shape).sum(0) % 2, np.linspace(0, 1, int(np.prod(shape))).reshape(shape)]
    # Large images in smaller number: they would take long, and one of them has as many values.
    count = max(10, min(250, 2**21 // int(np.prod(shape))))
    random = rng.random((count, *shape))
    blotches = np.clip(rng.random((count, *(1 for _ in shape))) + 0.2 * rng.standard_normal((count, *shape)), 0, 1)
    unit = np.concatenate([np.stack(edges), random, blotches]).astype(np.float32)
    return np.concatenate([unit, 255 * unit])


def _keras_to_onnx(model: Any, name: str) -> tuple[bytes, tuple[int, ...], Callable[[np.ndarray], np.ndarray]]:
    tf = _tensorflow()
    tf2onnx, onnx = _needs("tf2onnx", "Keras models"), _needs("onnx", "Keras models")
    shape = tuple(getattr(model, "input_shape", None) or ())
    if len(shape) != 4 or any(size is None for size in shape[1:]):
        raise ConversionError(
            f"{name} has input shape {shape}; expected one batch of images, [n, h, w, c] or [n, c, h, w]"
        )
    signature = [tf.TensorSpec((None, *shape[1:]), tf.float32, name="input")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    # The batch dimension of the output gets the input's name, so that both stay dynamic together.
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(proto)
    return proto.SerializeToString(), shape[1:], lambda part: function(tf.constant(part)).numpy()


def _torch_to_onnx(
    model: Any, shape: Sequence[int] | None, name: str
) -> tuple[bytes, tuple[int, ...], Callable[[np.ndarray], np.ndarray]]:
    torch = _needs("torch", "PyTorch models")
    if shape is None:
        raise ConversionError(f"{name} does not say which images it takes; state their shape (H, W, C)")
    height, width, channels = shape
    was_training = model.training
    model.eval()
    parameter = next(iter(model.parameters()), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    example = torch.zeros(2, channels, height, width, device=device)
    with tempfile.TemporaryDirectory(prefix="aeva-") as folder:
        path = Path(folder) / "model.onnx"
        try:
            with torch.no_grad(), warnings.catch_warnings():
                # About the exporter that is used, and about sizes that become constants: the labels are compared below.
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    model, (example,), str(path), input_names=["input"], output_names=["scores"],
                    dynamic_axes={"input": {0: "n"}, "scores": {0: "n"}}, opset_version=OPSET, **_exporter(torch),
                )
        except Exception as error:  # whatever the exporter raises for a module that it does not understand
            raise ConversionError(
                f"{name} cannot be exported to ONNX ({type(error).__name__}: {str(error).splitlines()[0]}); scan it "
                "as a black box instead: pass a function from arrays [n, h, w, c] to labels"
            ) from error
        finally:
            model.train(was_training)
        onnx = path.read_bytes()

    def scores(part: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.no_grad():
            found = model(torch.from_numpy(part).to(device)).detach().cpu().numpy()
        model.train(was_training)
        return found

    return onnx, (channels, height, width), scores


def _exporter(torch: Any) -> dict[str, bool]:
    """The exporter that needs no further package and writes one file."""
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    return {"dynamo": False} if version >= (2, 5) else {}


def to_onnx(model: Any, shape: Sequence[int] | None = None, name: str = "the model") -> tuple[bytes, dict[str, Any]]:
    """The ONNX file of a model of Keras or PyTorch, and what was found out on the way.

    `shape` is that of an image, `(h, w, c)`; Keras models say it themselves.
    Raises `ConversionError`, also if the labels of the two differ.
    """
    if is_torch(model):
        onnx, image, scores = _torch_to_onnx(model, shape, name)
        layout = "nchw"
    else:
        onnx, image, scores = _keras_to_onnx(model, name)
        layout = "nhwc" if image[2] in (1, 3, 4) else "nchw"
    height, width, channels = image if layout == "nhwc" else (image[1], image[2], image[0])
    checked = _check(onnx, image, scores, name)
    return onnx, dict(layout=layout, shape=[height, width, channels], **checked)


def _check(
    onnx: bytes, image: tuple[int, ...], scores: Callable[[np.ndarray], np.ndarray], name: str
) -> dict[str, Any]:
    onnxruntime = _needs("onnxruntime", "converted models")
    inputs = probes(image, np.random.default_rng(0))
    parts = np.array_split(inputs, 8)
    expected = np.concatenate([np.asarray(scores(part)) for part in parts])
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name
    found = np.concatenate([session.run(None, {input_name: part})[0] for part in parts])
    if expected.ndim != 2 or expected.shape[1] < 2:
        raise ConversionError(
            f"{name} answers {expected.shape[1:]} values an image; expected one score for each of two or more classes"
        )
    ordered = np.sort(expected, axis=1)
    tie = ordered[:, -1] - ordered[:, -2] <= TIE * np.abs(ordered[:, -1]).clip(min=1)
    differ = (expected.argmax(1) != found.argmax(1)) & ~tie
    if differ.any() or not np.isfinite(found).all():
        raise ConversionError(
            f"the converted model gives other labels for {differ.sum()} of {len(inputs)} inputs; nothing was written"
        )
    return dict(
        classes=int(expected.shape[1]),
        checked=len(inputs),
        ties=int(tie.sum()),
        largest_difference=float(np.abs(expected - found).max()),
    )


def manifest(report: dict[str, Any], onnx: bytes, file: str, source: str) -> str:
    """The manifest of a converted model, which `aeva scan` reads."""
    # A string of JSON is a string of TOML.
    return (
        f"schema_version = 1\n\n[model]\nfile = {json.dumps(file)}\nsha256 = \"{hashlib.sha256(onnx).hexdigest()}\"\n"
        f"classes = {report['classes']}\nsource = {json.dumps('converted from ' + source)}\n\n"
        f"[input]\nlayout = \"{report['layout']}\"\nshape = {report['shape']}\n"
    )


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def _shape(text: str) -> tuple[int, ...]:
    shape = tuple(int(size) for size in text.split(","))
    if len(shape) != 3 or min(shape) < 1:
        raise argparse.ArgumentTypeError("expected H,W,C, for example 32,32,3")
    return shape


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="aeva convert", description=str(__doc__).splitlines()[0])
    parser.add_argument("model", help="Keras file (.h5, .keras) or TorchScript file (.pt)")
    parser.add_argument("--out", required=True, metavar="FILE", help="ONNX file to write")
    parser.add_argument("--shape", type=_shape, metavar="H,W,C", help="shape of an image, for TorchScript")
    parser.add_argument("--report", metavar="FILE", help="write what was found out as JSON, and no manifest")
    options = parser.parse_args(arguments)
    out = Path(options.out)
    try:
        if out.suffix != ".onnx":
            raise ConversionError(f"{out} must end in .onnx; its manifest gets the same name with .toml")
        onnx, report = to_onnx(load(options.model), options.shape, options.model)
    except ConversionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    # The model first, because a manifest without a model is worse than a model without a manifest.
    _write(out, onnx)
    if options.report:
        _write(Path(options.report), json.dumps(report).encode())
    else:
        text = manifest(report, onnx, out.name, Path(options.model).name)
        _write(out.with_suffix(".toml"), text.encode())
    print(
        f"{out} ({report['classes']} classes, {report['layout']} {report['shape']}): labels agree on "
        f"{report['checked']} inputs ({report['ties']} ties), scores to {report['largest_difference']:.1e}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
