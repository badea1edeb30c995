"""A function from images to labels as the black box of a scan.

The program `aeva` sends images over a pipe and reads labels from another one; `docs/programs.md` describes the
messages. The function is called in the thread that asked for the scan.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import IO, Any, Callable, Sequence

import numpy as np

BlackBox = Callable[["np.ndarray[Any, Any]"], Any]


def run(
    command: Sequence[str], environment: dict[str, str], model: BlackBox, classes: int, name: str, version: str | None
) -> tuple[int, str]:
    """Runs the program, answers its questions with `model`, and returns its exit code and what it printed."""
    with tempfile.TemporaryFile() as printed:
        program = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed
        )
        try:
            answer(program.stdout, program.stdin, model, classes, name, version)
            program.wait()
        finally:
            # After an error of the model, the program finds its input closed, keeps what it has, and ends.
            _close(program.stdin)
            try:
                program.wait(timeout=60)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            _close(program.stdout)
        printed.seek(0)
        return program.returncode, printed.read().decode("utf-8", errors="replace")


def answer(
    questions: IO[bytes], answers: IO[bytes], model: BlackBox, classes: int, name: str, version: str | None
) -> None:
    """Answers until there are no more questions."""
    first = questions.readline()
    if not first:
        return
    hello = json.loads(first)
    shape = (hello["height"], hello["width"], hello["channels"])
    introduction: dict[str, Any] = {"classes": classes, "name": name}
    if version is not None:
        introduction["version"] = version
    if not _say(answers, introduction):
        return
    for line in iter(questions.readline, b""):
        count = json.loads(line)["images"]
        pixels = questions.read(4 * count * shape[0] * shape[1] * shape[2])
        images = np.frombuffer(pixels, dtype="<f4").reshape(count, *shape)
        if not _say(answers, _labels(model(images.copy()), count)):
            return


def _labels(answered: Any, count: int) -> list[int]:
    # Tensors of PyTorch may lie on another device or belong to a graph.
    for step in ("detach", "cpu"):
        if hasattr(answered, step):
            answered = getattr(answered, step)()
    labels = np.asarray(answered)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"the model answered {labels.dtype} {list(labels.shape)} to {count} images, expected {count} labels as "
            "integers (for scores [n, classes], return scores.argmax(1))"
        )
    return [int(label) for label in labels]


def _say(answers: IO[bytes], message: Any) -> bool:
    """Writes a message; False if nobody reads any more, because the program has ended."""
    try:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()
    except (BrokenPipeError, OSError):
        return False
    return True


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:
        pass
