"""Runs what the documents say: `python test_docs.py PROGRAM MODELS ROOT`.

Every line with `aeva` in a block of shell commands is run, in the order of its page, in a folder that has what the
pages speak of. Blocks of Python are run where they are whole programs, and so are the cells of notebooks. What is not
run is printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from docs_service import service

# Lines that are not run, by what they contain, and why.
NOT_RUN = {
    "--device cuda": "needs a GPU",
    "target/large/": "needs what `cargo xtask train-large` makes",
    "aeva setup": "installs",
    "--output probabilities": "needs a model of scikit-learn",
    "aeva bench": "takes long; it has tests of its own",
    "aeva convert": "needs Keras; test_convert.py tries it",
    "pip ": "installs",
    "podman ": "needs podman",
    "pre-commit ": "test_recipes.py tries it",
    "cp ": "belongs to a chore",
}
# What a program that answers for a model has in it.
PROGRAM = "reader.readline()"
# What a page begins the description of a service with.
TEMPLATE = "[request]\n"
# The address of the services in the pages.
SERVICE = "127.0.0.1:8080"
# Exit codes of verdicts.
VERDICTS = {0, 1, 3}


def main() -> int:
    program, models, root = (Path(argument).resolve() for argument in sys.argv[1:4])
    os.environ["PATH"] = f"{program.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    chores = subprocess.run(["cargo", "xtask", "--help"], cwd=root, capture_output=True, encoding="utf-8").stdout
    with tempfile.TemporaryDirectory(prefix="docs-") as folder:
        scanned = prepare(Path(folder) / "scanned", models, None)
        run("aeva --quiet scan model.onnx --data images.npz --seed 0 --out run", scanned, VERDICTS)
        counts = Counter()
        for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
            place = prepare(Path(folder) / page.stem, models, scanned / "run")
            text = page.read_text(encoding="utf-8")
            blocks = re.findall(r"^ *```(sh|python|toml)\n(.*?)^ *```", text, re.S | re.M)
            # What a page shows is what its commands use: a program, and the description of a service.
            for language, block in blocks:
                if language == "python" and PROGRAM in block:
                    (place / "my_model.py").write_text(block, encoding="utf-8")
                    counts["programs"] += 1
                elif language == "toml" and block.startswith(TEMPLATE):
                    (place / "endpoint.toml").write_text(block, encoding="utf-8")
                    counts["templates"] += 1
            commands = []
            for language, block in blocks:
                if language == "python":
                    counts[python(block, place, page)] += 1
                elif language == "sh":
                    for line in block.replace("\\\n", " ").splitlines():
                        kind = shell(line, place, page, chores)
                        counts[kind] += 1
                        commands += [line] if kind == "run" else []
            counts["protocols"] += protocols(text, commands, page)
        cells = 0
        for notebook in sorted((root / "docs").glob("*.ipynb")):
            place = prepare(Path(folder) / notebook.stem, models, None)
            cells += cells_of(notebook, place)
    expect(counts["programs"] == 1, "one page shows a program")
    expect(counts["templates"] == 1, "one page describes a service")
    expect(counts["protocols"], "one page has a table of protocols")
    print(
        f"docs: {counts['run']} commands and {counts['python']} blocks of Python run, {counts['protocols']} protocols "
        f"spoken, {counts['chores']} chores exist, {cells} cells run"
    )
    return 0


def shell(line: str, place: Path, page: Path, chores: str) -> str:
    """Runs a line, or says why not; what kind of line it is."""
    line = re.split(r"\s{2,}#", line.strip())[0].strip()
    if not line or line.startswith("#"):
        return "empty"
    reason = next((why for part, why in NOT_RUN.items() if part in line), None)
    if reason is not None:
        print(f"SKIPPED {page.name}: {line}: {reason}")
        return "skipped"
    if match := re.match(r"cargo xtask ([a-z-]+)", line):
        expect(re.search(rf"^  {match.group(1)}\b", chores, re.M), f"{page.name}: there is no chore {match.group(1)}")
        return "chores"
    line = re.sub(r"^cargo run -p aeva-cli -- ", "aeva ", line)
    if line.startswith("cargo "):
        print(f"SKIPPED {page.name}: {line}: builds")
        return "skipped"
    if not re.match(r"(aeva|python3?) ", line):
        print(f"SKIPPED {page.name}: {line}: it has no command of aeva")
        return "skipped"
    line = line.replace(" RUN", " run")
    if SERVICE not in line:
        run(line, place, VERDICTS)
        return "run"
    with service(place / "model.onnx") as address:
        run(line.replace(SERVICE, address), place, {1} if " scan " in line else {0})
    return "run"


def protocols(text: str, commands: list[str], page: Path) -> int:
    """Number of protocols in the table of a page; each must have a scan among the commands that were run."""
    table = re.search(r"^\| `--protocol` \|.*?\n\n", text, re.S | re.M)
    names = re.findall(r"^\| `([a-z][a-z0-9-]*)` \|", table[0], re.M) if table else []
    scans = [line.split() for line in commands if line.startswith("aeva scan ")]
    spoken = {words[words.index("--protocol") + 1] for words in scans if "--protocol" in words}
    missing = [name for name in names if name not in spoken]
    expect(not missing, f"{page.name}: no scan was run with the protocol {', '.join(missing)}")
    return len(names)


def python(block: str, place: Path, page: Path) -> str:
    """Runs a block about `aeva`; others are about other packages."""
    if "import aeva" in block:
        data = np.load(place / "images.npz")
        namespace = {"__name__": "__main__", "images": data["x"], "labels": data["y"]}
        if SERVICE not in block:
            execute(block, namespace, place)
            return "python"
        with service(place / "model.onnx") as address:
            execute(block.replace(SERVICE, address), namespace, place)
        expect(namespace["report"].suspects == [3], f"{page.name}: {namespace['report']}")
        return "python"
    if PROGRAM not in block:
        print(f"SKIPPED {page.name}: a block of Python about another package")
    return "skipped"


def cells_of(notebook: Path, place: Path) -> int:
    """Runs the cells of code, one after the other."""
    namespace: dict = {"__name__": "__main__"}
    sources = [
        "".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    for source in sources:
        execute(source, namespace, place)
    return len(sources)


def execute(source: str, namespace: dict, place: Path) -> None:
    before = Path.cwd()
    os.chdir(place)
    try:
        exec(compile(source, "document", "exec"), namespace)
    finally:
        os.chdir(before)


def prepare(place: Path, models: Path, scanned: Path | None) -> Path:
    """A folder with what the pages speak of: the model is the infected one, others are clean."""
    place.mkdir(parents=True)
    shutil.copytree(models, place / "models")
    (place / "clean").mkdir()
    infected, clean = models / "digits-infected.onnx", models / "digits-clean.onnx"
    for name in ["model.onnx", "new.onnx"]:
        shutil.copy(infected, place / name)
    for name in ["clean-1.onnx", "clean-2.onnx", "clean/a.onnx", "old.onnx"]:
        shutil.copy(clean, place / name)
    shutil.copy(models / "digits.npz", place / "images.npz")
    (place / "models.txt").write_text("clean-1.onnx\nmodel.onnx\n", encoding="utf-8")
    if scanned is not None:
        shutil.copytree(scanned, place / "run")
    return place


def run(line: str, place: Path, codes: set[int]) -> None:
    # A run folder that a page makes again belongs to another seed.
    if "--seed random" in line and "--out run" in line and "run-" not in line:
        shutil.rmtree(place / "run", ignore_errors=True)
    ran = subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, encoding="utf-8")
    expect(ran.returncode in codes, f"`{line}` ended with {ran.returncode}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")


def expect(holds: object, what: str) -> None:
    if not holds:
        sys.exit(f"test_docs: {what}")


if __name__ == "__main__":
    sys.exit(main())
