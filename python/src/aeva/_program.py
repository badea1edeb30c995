"""Where the program is, and the ONNX Runtime that it uses."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

_VARIABLE = "ORT_DYLIB_PATH"


def program() -> str:
    """The path of the program `aeva` that was installed with this package."""
    name = "aeva.exe" if sys.platform == "win32" else "aeva"
    # Of the environment, or of the user (`pip install --user`).
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
    for folder in folders:
        path = Path(folder) / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"{name} is not in {' nor in '.join(folders)}: install the package again")


def environment() -> dict[str, str]:
    """The environment of the program: with the ONNX Runtime of the package `onnxruntime` unless another is named."""
    variables = dict(os.environ)
    library = None if variables.get(_VARIABLE) else _library()
    if library is not None:
        variables[_VARIABLE] = str(library)
    return variables


def _library() -> Path | None:
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "capi"
    patterns = {"win32": "onnxruntime.dll", "darwin": "libonnxruntime*.dylib"}
    found = sorted(folder.glob(patterns.get(sys.platform, "libonnxruntime.so*")))
    return found[0] if found else None
