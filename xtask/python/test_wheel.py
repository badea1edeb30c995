"""Tries the Python package `aeva` in the environment that runs this: `python test_wheel.py MODELS`.

MODELS is the folder of the shipped models.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import aeva
import numpy as np
from aeva._program import program

models = Path(sys.argv[1])
infected, data = models / "digits-infected.onnx", np.load(models / "digits.npz")
images, labels = data["x"], data["y"]

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    # Arrays give what the files give.
    report = aeva.scan(infected, images, labels, out="arrays", class_names=[f"digit {label}" for label in range(10)])
    assert (report.verdict, report.suspects) == ("backdoored", [3]), report.data
    assert "3 (digit 3)" in report.page.read_text(encoding="utf-8")
    command = [infected, "--data", models / "digits.npz", "--out", "files"]
    for start in ([program()], [sys.executable, "-m", "aeva"]):
        ran = subprocess.run([*start, "scan", *command], capture_output=True, encoding="utf-8")
        assert ran.returncode == 1 and "BACKDOORED" in ran.stdout, ran
    for name in sorted(path.name for path in Path("arrays/triggers-v1").iterdir()):
        assert os.path.getsize(f"arrays/triggers-v1/{name}") == os.path.getsize(f"files/triggers-v1/{name}"), name

    clean = aeva.scan(models / "digits-clean.onnx", models / "digits.npz", options=["--no-html"])
    assert clean.verdict == "clean" and not clean.suspects and not clean.page.exists(), clean.data

    for wrong in (
        lambda: aeva.scan(infected, images),
        lambda: aeva.scan(infected, images, labels[1:]),
        lambda: aeva.scan(infected, images[0], labels),
        lambda: aeva.scan(infected, models / "digits.npz", labels),
    ):
        try:
            wrong()
        except TypeError as error:
            assert "labels" in str(error), error
        else:
            raise AssertionError("wrong data was taken")
    try:
        aeva.scan("missing.onnx", images, labels)
    except aeva.ScanError as error:
        assert "missing.onnx" in str(error) and "hint:" in str(error), error
    else:
        raise AssertionError("a missing model was taken")
print("the Python package works")
