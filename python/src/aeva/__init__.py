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

from ._program import environment, program

__all__ = ["Report", "ScanError", "scan"]

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
    model: str | os.PathLike[str],
    images: Any,
    labels: Any = None,
    *,
    out: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | None = None,
    options: Sequence[str] = (),
) -> Report:
    """Scans an ONNX model and returns the report.

    `images` are an array `[n, h, w, c]` (uint8, or floats in 0..1) with `labels` `[n]`, or the path of a data set that
    `aeva scan --data` takes. `out` is the run folder; a folder with the same scan is continued. Without it, the run
    folder is a new one in the system's temporary folder. `options` are further options of `aeva scan`, for example
    `["--seed", "random"]`.

    Raises `ScanError` with the program's message if the scan gives no report.
    """
    folder = Path(tempfile.mkdtemp(prefix="aeva-")) / "run" if out is None else Path(out)
    with tempfile.TemporaryDirectory(prefix="aeva-") as work:
        command = [program(), "--quiet", "--color", "never", "scan", os.fspath(model), "--out", os.fspath(folder)]
        command += ["--data", _data(images, labels, Path(work))]
        if class_names is not None:
            names = Path(work) / "class-names.txt"
            names.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
            command += ["--class-names", str(names)]
        ran = subprocess.run(
            [*command, *options], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8"
        )
    if ran.returncode not in _ENDED:
        raise ScanError(ran.stderr.strip() or f"aeva ended with {ran.returncode}")
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Report(data["verdict"], data["suspects"], data["p_value"], folder, data)


def _data(images: Any, labels: Any, work: Path) -> str:
    """The path of the data set; arrays are written into the folder."""
    if isinstance(images, (str, os.PathLike)):
        if labels is not None:
            raise TypeError("labels are part of the data set that the path names")
        return os.fspath(images)
    import numpy as np

    pixels, truth = np.asarray(images), np.asarray(labels)
    if labels is None or pixels.ndim != 4 or truth.shape != pixels.shape[:1]:
        raise TypeError(
            f"images have to be [n, h, w, c] with labels [n]; found {pixels.shape} and "
            f"{None if labels is None else truth.shape}"
        )
    path = work / "images.npz"
    np.savez(path, x=pixels, y=truth.astype(np.int64))
    return str(path)
