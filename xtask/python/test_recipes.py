"""Checks the recipes for pipelines: their schemas, and what their shell steps do here.

    python test_recipes.py AEVA MODELS ROOT

AEVA is the program, MODELS the folder with the shipped models, and ROOT the folder with
`action.yml`. It needs bash, git, and the packages check-jsonschema, pre-commit and PyYAML; no network.
What a service does with the recipes is not tried: only their schemas, and their commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from xml.etree import ElementTree
from pathlib import Path

import yaml

PAGES = ["verdict.md", "faq.md", "pipelines.md", "scanning.md", "programs.md", "python.md", "report.md",
         "endpoints.md", "clusters.md"]
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # as `shell: bash` of GitHub Actions


def main() -> int:
    program, models = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    root = Path(sys.argv[3]).resolve()
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        work = Path(folder)
        place = work / "bin"
        place.mkdir()
        (place / "aeva").symlink_to(program)
        os.environ["PATH"] = f"{place}{os.pathsep}{os.environ['PATH']}"
        for check in [schemas, action, gitlab, hook_script, pre_commit, workflow_inputs, commands, links, sentences]:
            own = work / check.__name__
            own.mkdir()
            print(f"{check.__name__}: {check(root, models, own)}", flush=True)
    print("all recipes pass")
    return 0


def schemas(root: Path, _models: Path, _work: Path) -> str:
    """The files against the schemas of the services."""
    recipes = root / "docs" / "recipes"
    for schema, path in [
        ("vendor.github-actions", root / "action.yml"),
        ("vendor.github-workflows", recipes / "github-workflow.yml"),
        ("vendor.gitlab-ci", recipes / "gitlab-ci.yml"),
    ]:
        run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path])
    run([sys.executable, "-m", "pre_commit", "validate-manifest", root / ".pre-commit-hooks.yaml"])
    # No input reaches a shell script as text.
    for step in load(root / "action.yml")["runs"]["steps"]:
        expect("${{" not in step["run"], f"an expression in the script of {step['name']}")
        run([*BASH, "-n"], text=step["run"])
    run([*BASH, "-n", recipes / "scan-changed.sh"])
    return "four files fit their schemas, no expression is in a script"


def action(root: Path, models: Path, work: Path) -> str:
    """The steps of the action, as GitHub would run them."""
    infected, clean, data = models / "digits-infected.onnx", models / "digits-clean.onnx", models / "digits.npz"
    cases = 0

    def case(
        name: str, model: Path | str, code: int, verdict: str, heading: str | None, **inputs: str
    ) -> tuple[Path, str]:
        nonlocal cases
        cases += 1
        place = work / name
        place.mkdir()
        # A drawn seed may raise a false alarm.
        given = {"model": str(model), "data": str(data), "seed": "0"} | {
            key.replace("_", "-"): value for key, value in inputs.items()
        }
        found, outputs, summary, log = run_action(root, place, given)
        expect(found == code, f"{name}: exit code {found}, expected {code}\n{log}")
        expect(outputs["verdict"] == verdict, f"{name}: {outputs}")
        expect(outputs["exit-code"] == str(code) and os.access(outputs["program"], os.X_OK), f"{name}: {outputs}")
        expect(summary.startswith(f"## {heading}") if heading else summary == "", f"{name}: the summary is {summary!r}")
        sarif = place / given.get("sarif", "aeva.sarif")
        if verdict == "error":
            expect(not sarif.exists(), f"{name}: there is a SARIF file")
        else:
            rules = [result["ruleId"] for result in json.loads(sarif.read_text(encoding="utf-8"))["runs"][0]["results"]]
            expected = {"clean": [], "backdoored": ["AEVA001"], "inconclusive": ["AEVA002"]}[verdict]
            expect(rules == expected, f"{name}: SARIF has {rules}")
            expect((place / given.get("out", "aeva-run") / "report.html").exists(), f"{name}: there is no page")
        return place, log

    case("infected", infected, 1, "backdoored", "BACKDOORED", seed="random")
    case("clean", clean, 0, "clean", "CLEAN")
    # A judge that does not know of the effort would call a screen inconclusive.
    case("screen", clean, 0, "clean", "CLEAN", options="--effort screen")
    case("screen-two-lines", clean, 0, "clean", "CLEAN", options="--threads 2\n\n  --effort=screen  ", out="run")
    case("limit", infected, 3, "inconclusive", "INCONCLUSIVE", options="--max-queries\n1000")
    case("fail-on", infected, 0, "inconclusive", "INCONCLUSIVE", options="--max-queries 1000", fail_on="backdoored")
    case("places", infected, 1, "backdoored", "BACKDOORED", sarif="a folder/of its own/x.sarif", out="a run")
    case("missing", "missing.onnx", 2, "error", None)
    case("bad-option", infected, 2, "error", None, options="--no-such-option")
    # Nothing that an input says is run or expanded.
    for name in ["$(touch owned).onnx", "a b; touch owned.onnx", "-q.onnx", "`touch owned`.onnx", "'\".onnx"]:
        odd = work / "models" / name
        odd.parent.mkdir(exist_ok=True)
        shutil.copy(infected, odd)
        place, _ = case(f"named-{cases}", odd, 1, "backdoored", "BACKDOORED")
        expect(not (place / "owned").exists(), f"{name} was run")
    place, _ = case(
        "options-are-words", infected, 2, "error", None, options="$(touch owned) * ; touch owned `touch owned`"
    )
    expect(not (place / "owned").exists(), "the options were run")
    return f"{cases} scans end as they should, with summary, outputs and SARIF"


def run_action(root: Path, place: Path, given: dict[str, str]) -> tuple[int, dict[str, str], str, str]:
    """Runs the steps but the installation, up to the first that fails: exit code, outputs, summary, log."""
    declared = load(root / "action.yml")
    inputs = {}
    for name, about in declared["inputs"].items():
        expect(name in given or not about.get("required"), f"{name} is required")
        inputs[name] = given.get(name, about.get("default", ""))
    expect(set(given) <= set(inputs), f"unknown inputs in {set(given)}")
    output, summary = place / "github-output", place / "github-summary"
    output.touch()
    summary.touch()
    log = ""
    for step in declared["runs"]["steps"]:
        if step["id"] == "install":
            continue
        expect(step["shell"] == "bash", f"the shell of {step['name']}")
        environment = os.environ | {
            key: re.sub(r"\$\{\{ *inputs\.([a-z-]+) *\}\}", lambda match: inputs[match.group(1)], value)
            for key, value in step.get("env", {}).items()
        }
        expect(not any("${{" in environment[key] for key in step.get("env", {})), f"expressions of {step['name']}")
        environment |= {
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_ACTION_PATH": str(root),
            "RUNNER_TEMP": str(place / "temp"),
        }
        script = place / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        ran = subprocess.run([*BASH, str(script)], cwd=place, env=environment, capture_output=True, encoding="utf-8")
        log += ran.stdout + ran.stderr
        if ran.returncode != 0:
            break
    outputs = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
    return ran.returncode, outputs, summary.read_text(encoding="utf-8"), log


def gitlab(root: Path, models: Path, work: Path) -> str:
    """The lines of the job, as GitLab would run them."""
    job = load(root / "docs" / "recipes" / "gitlab-ci.yml")["aeva"]
    # A drawn seed may raise a false alarm.
    job["script"] = [line.replace("--seed=random", "--seed=0") for line in job["script"]]
    for name, code, heading in [("infected", 1, "BACKDOORED"), ("clean", 0, "CLEAN"), ("missing", 2, None)]:
        place = work / name
        place.mkdir()
        environment = os.environ | job["variables"]
        environment |= {"AEVA_MODEL": str(models / f"digits-{name}.onnx"), "AEVA_DATA": str(models / "digits.npz")}
        found = [
            subprocess.run(
                [*BASH, "-c", "\n".join(lines)], cwd=place, env=environment, capture_output=True, encoding="utf-8"
            )
            for lines in [job["script"], job["after_script"]]
        ]
        expect(found[0].returncode == code, f"{name}: exit code {found[0].returncode}\n{found[0].stderr}")
        expect(found[1].returncode == 0, f"{name}: after_script {found[1].stderr}")
        suite, text = place / job["artifacts"]["reports"]["junit"], place / "aeva.md"
        expect(suite.exists() == text.exists() == (heading is not None), f"{name}: its files")
        if heading is not None:
            failures = ElementTree.parse(suite).getroot().get("failures")
            expect(failures == str(code), f"{name}: {failures} failures")
            expect(text.read_text(encoding="utf-8").startswith(f"## {heading}"), f"{name}: aeva.md")
            for path in job["artifacts"]["paths"]:
                expect((place / path).exists(), f"{name}: {path} is missing")
    return "three jobs end as they should, with their artifacts"


def hook_script(root: Path, models: Path, work: Path) -> str:
    """The script of the hook, over several models."""
    script = root / "docs" / "recipes" / "scan-changed.sh"
    infected, clean, data = (str(models / name) for name in ["digits-infected.onnx", "digits-clean.onnx", "digits.npz"])
    options = ["--quiet", "--effort", "screen", "--data", data]
    cases = [
        (1, [*options, "--", clean, infected]),
        (0, [*options, "--", clean]),
        (2, [*options, "--", infected, "missing.onnx"]),
        (3, [*options, "--max-queries", "1000", "--", clean]),
        (2, [*options, infected]),
        (2, []),
    ]
    for code, arguments in cases:
        ran = subprocess.run([script, *arguments], cwd=work, capture_output=True, encoding="utf-8")
        expect(ran.returncode == code, f"{arguments}: exit code {ran.returncode}, expected {code}\n{ran.stderr}")
        shutil.rmtree(work / "runs", ignore_errors=True)
    return f"{len(cases)} calls of the script end as they should"


def pre_commit(root: Path, models: Path, work: Path) -> str:
    """The hook, from one repository in another."""
    hooks, user = work / "hooks", work / "user"
    (hooks / "docs" / "recipes").mkdir(parents=True)
    shutil.copy(root / ".pre-commit-hooks.yaml", hooks)
    shutil.copy(root / "docs" / "recipes" / "scan-changed.sh", hooks / "docs" / "recipes")
    revision = commit(hooks)
    user.mkdir()
    page = (root / "docs" / "pipelines.md").read_text(encoding="utf-8")
    blocks = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if "aeva-scan" in text]
    expect(len(blocks) == 1, "pipelines.md has one configuration of the hook")
    configuration = yaml.safe_load(blocks[0])
    configuration["repos"][0] |= {"repo": str(hooks), "rev": revision}
    (user / ".pre-commit-config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    run([sys.executable, "-m", "pre_commit", "validate-config", user / ".pre-commit-config.yaml"])
    (user / "models").mkdir()
    shutil.copy(models / "digits.npz", user / "models" / "images.npz")
    shutil.copy(models / "digits-clean.onnx", user / "models" / "a.onnx")
    commit(user)
    environment = os.environ | {"PRE_COMMIT_HOME": str(work / "cache")}
    command = [sys.executable, "-m", "pre_commit", "run", "--hook-stage", "manual", "--all-files"]
    ran = subprocess.run(command, cwd=user, env=environment, capture_output=True, encoding="utf-8")
    expect(ran.returncode == 0 and "Passed" in ran.stdout, f"clean: {ran.stdout}{ran.stderr}")
    shutil.copy(models / "digits-infected.onnx", user / "models" / "b.onnx")
    commit(user)
    ran = subprocess.run(command, cwd=user, env=environment, capture_output=True, encoding="utf-8")
    expect(ran.returncode == 1 and "BACKDOORED" in ran.stdout, f"infected: {ran.stdout}{ran.stderr}")
    return "the hook passes a clean model and fails at an infected one"


def commit(folder: Path) -> str:
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main"]
    for arguments in [
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message", "state"],
    ]:
        run([*git, "-C", folder, *arguments])
    return run(["git", "-C", folder, "rev-parse", "HEAD"]).strip()


def workflow_inputs(root: Path, _models: Path, _work: Path) -> str:
    """What workflows give the action, it takes; what they upload, it writes."""
    declared = load(root / "action.yml")["inputs"]
    texts = [(root / "docs" / "recipes" / "github-workflow.yml").read_text(encoding="utf-8")]
    page = (root / "docs" / "pipelines.md").read_text(encoding="utf-8")
    texts += [text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if "uses: OWNER/" in text]
    for text in texts:
        content = yaml.safe_load(text)
        steps = content["jobs"]["backdoor"]["steps"] if "jobs" in content else content["steps"]
        ours = [step for step in steps if step.get("uses", "").startswith("OWNER/")]
        expect(len(ours) == 1, "one step uses the action")
        given = ours[0]["with"]
        expect(set(given) <= set(declared), f"unknown inputs in {sorted(given)}")
        required = {name for name, about in declared.items() if about.get("required")}
        expect(required <= set(given), "a required input is missing")
        for step in steps:
            if "sarif_file" in step.get("with", {}):
                expect(step["with"]["sarif_file"] == given.get("sarif", declared["sarif"]["default"]), "the SARIF file")
            if "path" in step.get("with", {}):
                expect(step["with"]["path"] == given.get("out", declared["out"]["default"]), "the run folder")
    return f"{len(texts)} workflows fit the action"


def commands(root: Path, _models: Path, _work: Path) -> str:
    """Every command and option of `aeva` in the pages is one that the program has."""
    helps: dict[str, str] = {}
    checked = 0
    for page in pages(root):
        for block in re.findall(r"```(?:sh|yaml)\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                for name, rest in re.findall(r"(?<![\w/.-])aeva ([a-z]+)((?: [^|>#&;]*)?)", line):
                    if name not in helps:
                        helps[name] = run(["aeva", name, "--help"])
                    for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest):
                        known = re.search(rf"{option}[\s,]", helps[name])
                        expect(known is not None, f"{page.name}: {name} {option}")
                    checked += 1
    return f"{checked} commands"


def links(root: Path, _models: Path, _work: Path) -> str:
    """Links lead to files."""
    known = {path.name for path in (root / "docs").iterdir()}
    found = 0
    for page in pages(root):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if target.startswith("recipes/") or target.startswith("../action.yml") or target.startswith("../.pre"):
                expect((page.parent / target).exists(), f"{page.name}: {target}")
            elif target.startswith("../"):
                expect(target[3:] in {"README.md", "SECURITY.md", "CONTRIBUTING.md"}, f"{page.name}: {target}")
            else:
                expect(target in known, f"{page.name}: {target}")
            found += 1
    return f"{found} links"


def sentences(root: Path, _models: Path, _work: Path) -> str:
    """One sentence a line."""
    for page in pages(root):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
        for line in text.splitlines():
            if not line.startswith("|"):
                plain = re.sub(r"`[^`]*`|\([^)]*\)", "", line)
                expect(not re.search(r"[a-z`)*][.?!]\*{0,2} +[A-Z`*]", plain), f"{page.name}: {line}")
    return "one a line"


def pages(root: Path) -> list[Path]:
    return [root / "docs" / name for name in PAGES]


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def run(command: list, text: str | None = None) -> str:
    ran = subprocess.run([str(word) for word in command], input=text, capture_output=True, encoding="utf-8")
    expect(ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"test_recipes: {what}")


if __name__ == "__main__":
    sys.exit(main())
