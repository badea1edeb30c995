"""Writes tests/data/models/*.onnx: tiny models of every form that the loader must accept or refuse.

    python make_models.py      (with the packages of xtask/python/requirements.txt)

All are the same linear classifier of 4x5 images with 3 channels and 6 classes, in different clothes.
"""
import pathlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

OUT = pathlib.Path(__file__).parent / "models"
H, W, C, K = 4, 5, 3, 6
rng = np.random.default_rng(7)
WEIGHTS = rng.standard_normal((H * W * C, K)).astype(np.float32)
BIAS = rng.standard_normal(K).astype(np.float32)


def model(name, shape, before=(), after=(), output=("scores", TensorProto.FLOAT, ["n", K]), dtype=TensorProto.FLOAT,
          others=(), constants=(), opset=17):
    """`before` turns `input` into `image` [n, h, w, c] f32; `after` turns `linear` into the output."""
    nodes = [
        *(before or [helper.make_node("Identity", ["input"], ["image"])]),
        helper.make_node("Reshape", ["image", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["linear"]),
        *(after or [helper.make_node("Identity", ["linear"], [output[0]])]),
    ]
    initializers = [
        numpy_helper.from_array(np.array([-1, H * W * C], dtype=np.int64), "flat"),
        *([] if any("weights" in node.output for node in nodes) else [numpy_helper.from_array(WEIGHTS, "weights")]),
        numpy_helper.from_array(BIAS, "bias"),
        *(numpy_helper.from_array(value, key) for key, value in constants),
    ]
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("input", dtype, shape)],
        [helper.make_tensor_value_info(*each) for each in (output, *others)],
        initializers,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    checker.check_model(proto)
    save(proto, OUT / f"{name}.onnx")


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


OUT.mkdir(exist_ok=True)
model("nhwc", ["n", H, W, C])
model("nchw", ["n", C, H, W], before=[node("Transpose", ["input"], ["image"], perm=[0, 2, 3, 1])])
model("labels", ["n", H, W, C], after=[node("ArgMax", ["linear"], ["label"], axis=1, keepdims=0)],
      output=("label", TensorProto.INT64, ["n"]))
model("fixed_batch", [4, H, W, C], output=("scores", TensorProto.FLOAT, [4, K]))
# Scores depend on the other images of the batch, as with a batch normalisation left in training mode.
model("batch_dependent", ["n", H, W, C], after=[
    node("ReduceMean", ["linear"], ["mean"], axes=[0], keepdims=1),
    node("Mul", ["mean", "tenth"], ["shift"]),
    node("Sub", ["linear", "shift"], ["scores"]),
], constants=[("tenth", np.array(0.1, dtype=np.float32))])
model("rank2", ["n", H * W * C])
model("half", ["n", H, W, C], before=[node("Cast", ["input"], ["image"], to=TensorProto.FLOAT)],
      dtype=TensorProto.FLOAT16)
model("nan", ["n", H, W, C], after=[node("Sub", ["linear", "much"], ["low"]), node("Sqrt", ["low"], ["scores"])],
      constants=[("much", np.array(1e6, dtype=np.float32))])
model("one_score", ["n", H, W, C], after=[node("ReduceMax", ["linear"], ["scores"], axes=[1], keepdims=1)],
      output=("scores", TensorProto.FLOAT, ["n", 1]))
model("dynamic", ["n", "a", "b", "c"])
# From operator set 18 on some operators take as inputs what were attributes.
model("opset18", ["n", H, W, C], opset=18)
# All scores are equal.
model("ties", ["n", H, W, C], after=[node("Mul", ["linear", "zero"], ["scores"])],
      constants=[("zero", np.array(0, dtype=np.float32))])
# The same classifier with other types of values. Bytes are pixels in 255ths.
model("bytes", ["n", H, W, C], before=[
    node("Cast", ["input"], ["bytes"], to=TensorProto.FLOAT), node("Div", ["bytes", "most"], ["image"]),
], dtype=TensorProto.UINT8, constants=[("most", np.array(255, dtype=np.float32))])
model("half_scores", ["n", H, W, C], after=[node("Cast", ["linear"], ["scores"], to=TensorProto.FLOAT16)],
      output=("scores", TensorProto.FLOAT16, ["n", K]))
model("labels32", ["n", H, W, C], after=[
    node("ArgMax", ["linear"], ["wide"], axis=1, keepdims=0), node("Cast", ["wide"], ["label"], to=TensorProto.INT32),
], output=("label", TensorProto.INT32, ["n"]))
model("one_score_flat", ["n", H, W, C], after=[node("ReduceMax", ["linear"], ["scores"], axes=[1], keepdims=0)],
      output=("scores", TensorProto.FLOAT, ["n"]))
# The first output is no list of scores.
model("two_outputs", ["n", H, W, C], after=[
    node("Identity", ["image"], ["features"]), node("Identity", ["linear"], ["scores"]),
], output=("features", TensorProto.FLOAT, ["n", H, W, C]), others=[("scores", TensorProto.FLOAT, ["n", K])])
# Quantised to 8 bits, as exporters write it: pairs of QuantizeLinear and DequantizeLinear around f32.
STEP = np.float32(np.abs(WEIGHTS).max() / 127)
model("quantised", ["n", H, W, C], before=[
    node("QuantizeLinear", ["input", "pixel", "dark"], ["bytes"]),
    node("DequantizeLinear", ["bytes", "pixel", "dark"], ["image"]),
    node("DequantizeLinear", ["small", "step", "middle"], ["weights"]),
], constants=[
    ("pixel", np.array(1 / 255, dtype=np.float32)), ("dark", np.array(0, dtype=np.uint8)),
    ("small", np.round(WEIGHTS / STEP).astype(np.int8)),
    ("step", np.array(STEP)), ("middle", np.array(0, dtype=np.int8)),
])
