"""Tells whether an image classifier carries a backdoor, when labels are all that it answers.

The work is done by the program `aeva`, which this package carries; see `aeva --help`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

from . import _black_box
from ._program import environment, program
from .convert import ConversionError, is_keras, is_torch, to_onnx

__all__ = ["ConversionError", "Report", "ScanError", "scan"]

# Exit codes of a scan that has given a verdict: clean, backdoored, inconclusive.
_ENDED = (0, 1, 3)


class ScanError(RuntimeError):
    """A scan that gave no report; the message is that of the program."""


@dataclass(frozen=True)
class Report:
    """What a scan found."""

    verdict: str
    """`clean`, `backdoored` or `inconclusive`."""
    suspects: list[int]
    """Infected labels, most conspicuous first."""
    p_value: float | None
    """The share of clean models that look like this."""
    folder: Path
    """The run folder."""
    data: dict[str, Any]
    """All of `report.json`."""

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.folder / "report.html"


def scan(
    model: Any,
    images: Any,
    labels: Any = None,
    *,
    out: str | os.PathLike[str] | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    version: str | None = None,
    options: Sequence[str] = (),
) -> Report:
    """Scans a model and returns the report.

    `model` is one of these:

    - The path of an ONNX file.
    - A module of PyTorch or a model of Keras. It is exported to ONNX first, and its labels are compared with those of
      the export. The input of a PyTorch module is `[n, c, h, w]`. How pixels go in (0..1, 0..255, normalised) is found
      by trying, unless `options` state it.
    - A function from images `[n, h, w, c]`, float32 in 0..1, to labels `[n]`, integers. It is called in this thread,
      with at most 256 images at a time, and has to answer the same to the same image. Anything can stand behind it:
      another framework, an ensemble, a service. `classes` is its number of labels; without it, that of `class_names`,
      or one more than the largest of `labels`. `version` tells the model from other versions, so that a scan of one is
      never continued with another.

    `images` are an array `[n, h, w, c]` (uint8, or floats in 0..1) with `labels` `[n]`, or the path of a data set that
    `aeva scan --data` takes. `out` is the run folder; a folder with the same scan is continued. Without it, the run
    folder is a new one in the system's temporary folder. `name` is what to call a model that is no file. `options` are
    further options of `aeva scan`, for example `["--seed", "random"]`.

    Raises `ScanError` with the program's message if the scan gives no report, `ConversionError` if the model cannot be
    exported, and whatever a function raises; what it has answered until then is kept in the run folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="aeva-")) / "run" if out is None else Path(out)
    with tempfile.TemporaryDirectory(prefix="aeva-") as work:
        arguments = ["--out", os.fspath(folder), "--data", _data(images, labels, Path(work)), *options]
        if class_names is not None:
            names = Path(work) / "class-names.txt"
            names.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
            arguments += ["--class-names", str(names)]
        command = [program(), "--quiet", "--color", "never", "scan"]
        if isinstance(model, (str, os.PathLike)):
            code, printed = _run([*command, os.fspath(model), *arguments])
        elif is_torch(model) or is_keras(model):
            file = Path(work) / f"{_file_name(name or type(model).__name__)}.onnx"
            shape = None if isinstance(images, (str, os.PathLike)) else _pixels(images).shape[1:]
            file.write_bytes(to_onnx(model, shape, name or type(model).__name__)[0])
            code, printed = _run([*command, str(file), *arguments])
        elif callable(model):
            called = name or getattr(model, "__name__", type(model).__name__)
            number = classes or _classes(labels, class_names)
            command += ["-", *arguments]
            code, printed = _black_box.run(command, environment(), model, number, called, version)
        else:
            raise TypeError(f"a model is a path, a module, or a function from images to labels; found {type(model)}")
    if code not in _ENDED:
        raise ScanError(printed.strip() or f"aeva ended with {code}")
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Report(data["verdict"], data["suspects"], data["p_value"], folder, data)


def _run(command: Sequence[str]) -> tuple[int, str]:
    ran = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
    )
    return ran.returncode, ran.stderr


def _classes(labels: Any, class_names: Sequence[str] | None) -> int:
    """The number of labels of a function, which does not say it."""
    if class_names is not None:
        return len(class_names)
    if labels is None:
        raise TypeError("state `classes`, the number of labels of the model")
    return int(max(labels)) + 1


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:64]


def _pixels(images: Any) -> Any:
    import numpy as np

    return np.asarray(images)


def _data(images: Any, labels: Any, work: Path) -> str:
    """The path of the data set; arrays are written into the folder."""
    if isinstance(images, (str, os.PathLike)):
        if labels is not None:
            raise TypeError("labels are part of the data set that the path names")
        return os.fspath(images)
    import numpy as np

    pixels, truth = _pixels(images), np.asarray(labels)
    if labels is None or pixels.ndim != 4 or truth.shape != pixels.shape[:1]:
        raise TypeError(
            f"images have to be [n, h, w, c] with labels [n]; found {pixels.shape} and "
            f"{None if labels is None else truth.shape}"
        )
    path = work / "images.npz"
    np.savez(path, x=pixels, y=truth.astype(np.int64))
    return str(path)
