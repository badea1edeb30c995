"""Tries the Python package `aeva` in the environment that runs this: `python test_wheel.py MODELS SCHEMA`.

MODELS is the folder of the shipped models, and SCHEMA the JSON Schema of `report.json`, which all reports have to fit.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import aeva
import jsonschema
import numpy as np
from aeva._program import program

models = Path(sys.argv[1])
schema = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
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

    # Reports of every verdict and lens fit the schema, and one that is changed does not.
    both = aeva.scan(infected, models / "digits.npz", out="files", options=["--lens", "both"])
    every = aeva.scan(infected, models / "digits.npz", options=["--effort", "exhaustive"])
    part = aeva.scan(infected, models / "digits.npz", options=["--lens", "perturbation", "--sources", "1"])
    assert part.verdict == "inconclusive" and both.data["labels"], both.data
    for found in (report, clean, both, every, part):
        validator.validate(found.data)
    for change in ({"verdict": "fine"}, {"queries": -1}, {"unknown": 0}, {"schema_version": 3}):
        assert not validator.is_valid({**copy.deepcopy(report.data), **change}), change

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
