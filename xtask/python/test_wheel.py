"""Tries the Python package `aeva` in the environment that runs this: `python test_wheel.py MODELS SCHEMA SARIF`.

MODELS is the folder of the shipped models, SCHEMA the JSON Schema of `report.json`, which all reports have to fit, and
SARIF the official schema of SARIF 2.1.0.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import aeva
import junitparser
import jsonschema
import numpy as np
import onnxruntime
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

    # The formats of others: SARIF against its official schema, JUnit as a reader of many tools sees it.
    sarif = jsonschema.Draft7Validator(json.loads(Path(sys.argv[3]).read_text(encoding="utf-8")))

    def printed(run, form):
        ran = subprocess.run([program(), "judge", run, "--format", form], capture_output=True, encoding="utf-8")
        assert ran.returncode in (0, 1, 3), ran
        return ran.stdout

    for found, failures, errors, tests in ((report, 1, 0, 1), (clean, 0, 0, 1), (part, 0, 1, 1)):
        written = json.loads(printed(found.folder, "sarif"))
        wrong = [error.message for error in sarif.iter_errors(written)]
        assert not wrong, wrong
        suites = junitparser.JUnitXml.fromstring(printed(found.folder, "junit").encode())
        assert (suites.failures, suites.errors, suites.tests) == (failures, errors, tests), suites
    written["version"] = "2.0.0"
    assert not sarif.is_valid(written)

    # A function from images to labels, whatever stands behind it, gives what the file gives.
    session = onnxruntime.InferenceSession(infected, providers=["CPUExecutionProvider"])
    asked = 0

    def black_box(batch):
        global asked
        asked += len(batch)
        return session.run(None, {session.get_inputs()[0].name: batch})[0].argmax(1)

    boxed = aeva.scan(black_box, images, labels, out="boxed", version="1")
    assert (boxed.verdict, boxed.suspects, asked) == ("backdoored", [3], boxed.data["queries"]), (boxed, asked)
    triggers, others = boxed.data["triggers"], report.data["triggers"]
    assert triggers["passes"] == others["passes"] and triggers["found"] == others["found"], "other triggers"
    validator.validate(boxed.data)
    assert boxed.data["run"]["model_name"] == "black_box"
    # A model that fails in the middle loses nothing, and another version of it is never taken for the same one.
    asked = 0

    def interrupted(batch):
        if asked > boxed.data["queries"] - 200:
            raise KeyboardInterrupt
        return black_box(batch)

    try:
        aeva.scan(interrupted, images, labels, out="continued", name="black_box", version="1")
    except KeyboardInterrupt:
        assert Path("continued/run.json").is_file() and not Path("continued/report.json").exists()
    else:
        raise AssertionError("the exception of the model is lost")
    continued = aeva.scan(black_box, images, labels, out="continued", version="1")
    assert asked < 2 * boxed.data["queries"] and continued.data["triggers"] == boxed.data["triggers"]
    for wrong, message in (
        (lambda: aeva.scan(black_box, images, labels, out="boxed", version="2"), "boxed"),
        (lambda: aeva.scan(lambda batch: labels[:0], images, labels), "expected"),
        (lambda: aeva.scan(lambda batch: np.zeros((len(batch), 10)), images, labels), "argmax"),
        (lambda: aeva.scan(lambda batch: np.full(len(batch), 77), images, labels), "the label 77"),
        (lambda: aeva.scan(black_box, images, labels, options=["--value-range", "0..255"]), "--value-range"),
        (lambda: aeva.scan(3, images, labels), "a function from images to labels"),
    ):
        try:
            wrong()
        except (TypeError, aeva.ScanError) as error:
            assert message in str(error), error
        else:
            raise AssertionError(message)

    # Keras and PyTorch are not here.
    converted = subprocess.run(
        [program(), "convert", "missing.h5", "--out", "x.onnx"], capture_output=True, encoding="utf-8"
    )
    assert converted.returncode == 2 and "there is no file missing.h5" in converted.stderr, converted

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
