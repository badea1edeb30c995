"""Tries models of Keras and PyTorch in the environment that runs this: `python test_convert.py PROGRAM MODELS`.

PROGRAM is `aeva`, and MODELS the folder of the shipped models, whose images are used. The module `aeva` has to be in
the path. What is not installed is skipped visibly.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import aeva
import numpy as np

path, models = sys.argv[1], Path(sys.argv[2])
aeva.program = lambda: path
data = np.load(models / "digits.npz")
images, labels = data["x"], data["y"]
command = [sys.executable, "-m", "aeva.convert"]


def converted(source, *options):
    """Converts a file, and scans what came of it."""
    ran = subprocess.run([*command, source, "--out", "out.onnx", *options], capture_output=True, encoding="utf-8")
    assert ran.returncode == 0 and "labels agree on" in ran.stdout, ran
    assert Path("out.toml").is_file(), "the manifest is missing"
    return aeva.scan("out.onnx", images, labels, options=["--effort", "screen"])


def keras_models():
    import keras

    model = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images / 255.0, labels, epochs=20, verbose=0)
    scanned = aeva.scan(model, images, labels, name="my model/1", options=["--effort", "screen"])
    assert scanned.data["run"]["model_name"] == "my-model-1.onnx" and scanned.data["run"]["clean_accuracy"] > 0.8
    model.save("model.keras")
    assert converted("model.keras").data["triggers"] == scanned.data["triggers"]
    dense = keras.Sequential([keras.Input((256,)), keras.layers.Dense(10)])
    try:
        aeva.scan(dense, images, labels)
    except aeva.ConversionError as error:
        assert "has input shape" in str(error), error
    else:
        raise AssertionError("a model that takes no images was taken")
    ran = subprocess.run([*command, __file__, "--out", "x.onnx"], capture_output=True, encoding="utf-8")
    assert ran.returncode == 1 and "cannot be loaded" in ran.stderr and not Path("x.onnx").exists(), ran


def torch_models():
    import torch

    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 10))
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2) / 255.0).float()
    truth = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), truth).backward()
        optimizer.step()
    scanned = aeva.scan(model, images, labels, options=["--effort", "screen"])
    assert scanned.data["run"]["clean_accuracy"] > 0.9 and model.training, scanned.data["run"]
    torch.jit.script(model.eval()).save("model.pt")
    assert converted("model.pt", "--shape", "16,16,1").data["triggers"] == scanned.data["triggers"]

    def answers(batch):
        with torch.no_grad():
            return model(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).argmax(1)

    boxed = aeva.scan(answers, images, labels, options=["--effort", "screen"])
    assert boxed.verdict == scanned.verdict, "tensors are labels as well"
    torch.save(model.state_dict(), "weights.pt")
    ran = subprocess.run([*command, "weights.pt", "--out", "x.onnx"], capture_output=True, encoding="utf-8")
    assert ran.returncode == 1 and "weights alone" in ran.stderr, ran


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for name, test in (("tensorflow", keras_models), ("torch", torch_models)):
        try:
            __import__(name)
        except ImportError:
            print(f"SKIPPED {test.__name__}: {name} is not installed")
            continue
        test()
        print(f"{test.__name__} pass")
