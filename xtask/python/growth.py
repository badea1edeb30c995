"""Measures how the time and the memory of a scan grow, as a table (on stdout) and a plot.

    python growth.py AEVA OUT.svg OUT.json [--quick]

AEVA is the program. Models and images are made here, so that the image shape and the number of labels can be chosen
freely. A model gives an image the label of the nearest of as many random centres as there are labels, after a small
convolution that costs as much as a small network and hardly changes the scores. An image is a centre with some noise.
So all images are classified correctly, and all searches finish. The searches are short (few iterations and
evaluations): time per query and memory do not depend on that. Linux only: peak memory is read from /proc.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 3
RNG = np.random.default_rng(7)
BASE = dict(samples=2, labels=10, size=32, threads=os.cpu_count())


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def model(labels, size, centres, path):
    values = size * size * CHANNELS
    node = helper.make_node
    nodes = [
        node("Reshape", ["input", "flat"], ["rows"]),
        # The nearest centre c is the one with the largest 2 c x - c c.
        node("Gemm", ["rows", "centres", "squares"], ["nearest"], transB=1, alpha=2.0),
        node("Transpose", ["input"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", ["planes", "kernel1"], ["features1"], pads=[1, 1, 1, 1]),
        node("Relu", ["features1"], ["active1"]),
        node("Conv", ["active1", "kernel2"], ["features2"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["features2"], ["active2"]),
        node("GlobalAveragePool", ["active2"], ["pooled"]),
        node("Flatten", ["pooled"], ["vector"]),
        node("MatMul", ["vector", "head"], ["hardly"]),
        node("Add", ["nearest", "hardly"], ["scores"]),
    ]
    constants = dict(
        flat=np.array([-1, values], dtype=np.int64), centres=centres, squares=-(centres**2).sum(1),
        kernel1=normal(16, CHANNELS, 3, 3), kernel2=normal(32, 16, 3, 3), head=normal(32, labels) * np.float32(1e-6),
    )
    graph = helper.make_graph(
        nodes, "growth",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", size, size, CHANNELS])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", labels])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(proto.SerializeToString())


def data(labels, size, samples, folder):
    """A model and `samples` images for each of its labels."""
    centres = RNG.uniform(0.3, 0.7, (labels, size * size * CHANNELS)).astype(np.float32)
    model(labels, size, centres, folder / "model.onnx")
    truth = np.tile(np.arange(labels), samples)
    images = centres[truth] + 0.05 * normal(len(truth), centres.shape[1])
    images = (np.clip(images, 0, 1) * 255).astype(np.uint8).reshape(-1, size, size, CHANNELS)
    np.savez(folder / "images.npz", x=images, y=truth)


def peak_kib(process):
    """Largest resident memory so far, in KiB; 0 when the process is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def scan(aeva, samples, labels, size, threads, iterations=4, evaluations=24):
    """One scan in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="aeva-growth-") as name:
        folder = Path(name)
        data(labels, size, samples, folder)
        command = [aeva, "--quiet", "scan", "--lens", "perturbation", "model.onnx", "--data", "images.npz",
                   "--out", "run", "--value-range", "0..1", "--samples", str(samples), "--iterations", str(iterations),
                   "--initial-evaluations", str(evaluations), "--threads", str(threads)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        # Read while it runs, because the figure of the system afterwards includes the memory of the parent process.
        peak = 0
        while process.poll() is None:
            peak = peak_kib(process.pid) or peak
            time.sleep(0.02)
        seconds = time.perf_counter() - begin
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_seconds = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
        if process.returncode not in (0, 1, 3):  # any verdict is fine
            sys.exit(f"the scan ended with {process.returncode}")
        report = json.loads((folder / "run" / "report.json").read_text())
        artifacts = sum(path.stat().st_size for path in (folder / "run").rglob("*.aeva"))
    figures = dict(samples=samples, labels=labels, size=size, threads=threads, iterations=iterations,
                   evaluations=evaluations, searches=sum(pair["samples"] for pair in report["pairs"]),
                   queries=report["queries"], seconds=seconds, cpu_seconds=cpu_seconds,
                   peak_mib=peak / 1024, artifacts_mib=artifacts / 2**20)
    row = ("| {samples} | {labels} | {size} | {threads} | {searches} | {queries} | {seconds:.1f} | {rate:.0f} "
           "| {peak_mib:.0f} | {artifacts_mib:.0f} |")
    print(row.format(rate=figures["queries"] / seconds, **figures), flush=True)
    return figures


def plot(series, path):
    names = dict(samples="samples per pair", labels="labels", size="image size (pixels a side)", threads="threads")
    figure, axes = plt.subplots(2, len(series), figsize=(3 * len(series), 5), sharex="col", squeeze=False)
    for column, (key, rows) in zip(axes.T, series.items(), strict=True):
        x = [row[key] for row in rows]
        rate = key == "threads"
        column[0].plot(x, [row["queries"] / row["seconds"] if rate else row["seconds"] for row in rows], marker="o")
        column[0].set_title("queries a second" if rate else "seconds", fontsize=9)
        column[1].plot(x, [row["peak_mib"] for row in rows], marker="o", color="tab:red")
        column[1].set_title("peak memory, MiB", fontsize=9)
        column[1].set_xlabel(names[key])
        for axis in column:
            axis.set_ylim(bottom=0)
            axis.set_xticks(x)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(arguments):
    quick = "--quick" in arguments
    aeva, svg, out = (os.path.abspath(argument) for argument in arguments if argument != "--quick")
    print("| samples | labels | size | threads | searches | queries | seconds | queries/s | peak MiB | artifacts MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    steps = dict(samples=[1, 2, 4, 8, 16], labels=[10, 43, 100], size=[28, 32, 64, 96],
                 threads=sorted({1, *(n for n in (2, 4, 8, 16) if n < os.cpu_count()), os.cpu_count()}))
    if quick:
        steps = {key: values[:2] for key, values in steps.items()}
    series = {key: [scan(aeva, **{**BASE, key: value}) for value in values] for key, values in steps.items()}
    if not quick:
        # A very large number of perturbations, 396 000, from the shortest possible searches.
        series["largest"] = [scan(aeva, 40, 100, 32, os.cpu_count(), iterations=1, evaluations=1)]
    plot({key: series[key] for key in steps}, svg)
    Path(out).write_text(json.dumps(series, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
