"""Scans a model in shares under a real Slurm: `test_slurm.py AEVA MODELS ROOT [--install] [--require]`.

AEVA is the program, MODELS the folder of the shipped models, ROOT that of the repository, whose job files are used as
they are. Slurm runs here and now: its daemons, with five nodes that are all this machine, listen on 127.0.0.1, keep
everything in a temporary folder, and end with the test. That takes root, and the packages of Debian or Ubuntu that
`--install` installs. Without them the test is skipped, unless `--require` is given.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
PROGRAMS = ["slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol", "sinfo"]
TASKS, NODES = 4, 5
# Artifacts that are there when a program is killed and a node is lost: in the middle of the work.
MIDDLE = 8
# Pairs of the ten labels, each of which is a file.
PAIRS = 90
SEED = 0
# More than the least, so that there is a middle.
OPTIONS = ["--lens", "both", "--samples", "4", "--no-html"]
# Seconds that a scan, the daemons' start and their end may take.
PATIENCE, START, END = 600, 60, 10
# Of Linux: orphans become children of this process, and the machine has a name of its own for this process and those.
PR_SET_CHILD_SUBREAPER, CLONE_NEWUTS = 36, 0x0400_0000

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("aeva", type=Path)
parser.add_argument("models", type=Path)
parser.add_argument("root", type=Path)
parser.add_argument("--install", action="store_true", help=f"install {' '.join(PACKAGES)} with apt-get, as root")
parser.add_argument("--require", action="store_true", help="fail where it would be skipped")
asked = parser.parse_args()
AEVA, MODELS, ROOT = asked.aeva.resolve(), asked.models.resolve(), asked.root.resolve()
MODEL, DATA = MODELS / "digits-infected.onnx", MODELS / "digits.npz"
# Daemons are not on the search path of everybody.
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
BEGIN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGIN:6.1f} s  {text}", flush=True)


def wait_for(what, condition, seconds):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not after {seconds} s"
        time.sleep(0.05)
    return found


def missing():
    """Why Slurm cannot run here, if so."""
    if sys.platform != "linux":
        return "Slurm is for Linux"
    if os.geteuid() != 0:
        return "only root can start the daemons of Slurm for a test"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=SEARCH)]
    if absent and asked.install:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
                subprocess.run(["apt-get", "--quiet", *words], check=True, env=environment, timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            return f"Slurm cannot be installed: {error}"
        absent = [name for name in PROGRAMS if not shutil.which(name, path=SEARCH)]
    if absent:
        return f"there is no {', '.join(absent)} ({parser.prog} --install)"
    return None if is_named() else "the name of this machine is not that of 127.0.0.1, and cannot be changed for a test"


def is_named():
    """Makes the machine's name `localhost` for this test, because daemons listen at the address that its name has."""
    if ctypes.CDLL(None).unshare(CLONE_NEWUTS) == 0:
        socket.sethostname("localhost")
        return True
    # In a container without that right.
    with contextlib.suppress(OSError):
        return socket.gethostbyname(socket.gethostname()).startswith("127.")
    return False


# Processes. Those of jobs outlive the daemon that starts them, so that all are looked for that descend from this one.


def parents():
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, fields = re.fullmatch(r"\d+ \((.*)\) (.*)\n?", stat.read_text(), re.S).groups()
            state, parent = fields.split()[:2]
            if state != "Z":
                found[int(stat.parent.name)] = int(parent), name
    return found


def descendants(of, known=None):
    known = parents() if known is None else known
    found = [process for process, (parent, _) in known.items() if parent == of]
    return found + [other for process in found for other in descendants(process, known)]


def kill(processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def none_left():
    """Ends what is left of this test, until there is nothing."""
    kill(descendants(os.getpid()))
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return not descendants(os.getpid())


class Slurm:
    """A cluster on this machine, as a context manager."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.daemons = {}
        self.environment = {**os.environ, "PATH": SEARCH, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self):
        # Whoever may read the folder of the key could be a user of the cluster.
        munge = self.folder / "munge"
        munge.mkdir(mode=0o700)
        (munge / "key").touch(mode=0o600)
        (munge / "key").write_bytes(secrets.token_bytes(128))
        for name in ("state", *self.nodes()):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(self.settings(), encoding="utf-8")
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        try:
            # It takes folders for unsafe that others may write in, as above this one.
            self.start("munged", "munged", "--foreground", "--force", *options)
            wait_for("munged", (munge / "socket").exists, START)
            self.start("slurmctld", "slurmctld", "-D", "-c")
            for node in self.nodes():
                self.start(node, "slurmd", "-D", "-N", node)
            wait_for("the nodes of Slurm", self.is_ready, START)
        except BaseException:
            for log in self.folder.glob("*.out"):
                say(f"{log.name}: {log.read_text(encoding='utf-8', errors='replace')[-1500:]}")
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        end = time.monotonic() + END
        for daemon in self.daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(max(0, end - time.monotonic()))
        wait_for("the end of all processes", none_left, END)

    def nodes(self):
        return [f"node{number}" for number in range(1, NODES + 1)]

    def settings(self):
        name = socket.gethostname().split(".")[0]
        with contextlib.ExitStack() as lines:
            ports = []
            for _ in range(NODES + 1):
                line = lines.enter_context(socket.socket())
                line.bind(("127.0.0.1", 0))
                ports.append(line.getsockname()[1])
        folder = self.folder
        settings = {
            "ClusterName": "test",
            "SlurmctldHost": f"{name}(127.0.0.1)",
            "SlurmctldPort": ports.pop(),
            "SlurmUser": "root",
            "AuthType": "auth/munge",
            "CredType": "cred/munge",
            # A job that is queued again waits for this long: two minutes by default.
            "AuthInfo": f"socket={folder}/munge/socket,cred_expire=5",
            # Listen at the addresses that are stated, not at all.
            "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
            "StateSaveLocation": f"{folder}/state",
            "SlurmdSpoolDir": f"{folder}/%n",
            "SlurmctldPidFile": f"{folder}/slurmctld.pid",
            "SlurmdPidFile": f"{folder}/%n.pid",
            "SlurmctldLogFile": f"{folder}/slurmctld.log",
            "SlurmdLogFile": f"{folder}/%n.log",
            # Believe what is stated here about CPUs, whatever the machine has.
            "SlurmdParameters": "config_overrides",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "AccountingStorageType": "accounting_storage/none",
            "MpiDefault": "none",
            "MailProg": "/bin/true",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "SchedulerParameters": "sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1",
            "JobRequeue": 1,
            "ReturnToService": 2,
            "KillWait": 5,
            # Remember jobs to the end of the test.
            "MinJobAge": 3600,
        }
        lines = [f"{key}={value}" for key, value in settings.items()]
        for node, port in zip(self.nodes(), ports, strict=True):
            lines.append(f"NodeName={node} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1")
        return "\n".join([*lines, "PartitionName=all Nodes=ALL Default=YES State=UP", ""])

    def start(self, name, program, *options):
        with (self.folder / f"{name}.out").open("wb") as log:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(program, path=SEARCH), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )

    def is_ready(self):
        for name, daemon in self.daemons.items():
            assert daemon.poll() is None, f"{name} has ended with {daemon.returncode}"
        states = self.ask("sinfo", "--noheader", "--Node", "--format=%T", check=False).split()
        return states == ["idle"] * NODES

    def ask(self, *words, check=True, **variables):
        """What a program of Slurm prints."""
        words = [str(word) for word in words]
        ran = subprocess.run(
            words, capture_output=True, encoding="utf-8", timeout=START, env={**self.environment, **variables}
        )
        assert not check or ran.returncode == 0, (words, ran.stdout, ran.stderr)
        return ran.stdout

    def jobs(self):
        """What is known of each job, by its number."""
        # An array of which nothing runs yet is one job.
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        found = [dict(re.findall(r"([\w/]+)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return {job["JobId"]: job for job in found}

    def process_of(self, task):
        """The process of a task's program, the task's job, and its node."""
        known = parents()
        for process in descendants(os.getpid(), known):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                # `srun` has these words, too, and is not started by this.
                if f"{task}/{TASKS}".encode() in words and known[known[process][0]][1].startswith("slurmstepd"):
                    text = Path(f"/proc/{process}/environ").read_bytes()
                    variables = dict(line.split(b"=", 1) for line in text.split(b"\0") if b"=" in line)
                    return process, variables[b"SLURM_JOB_ID"].decode(), variables[b"SLURMD_NODENAME"].decode()
        return None

    def lose(self, node, job):
        """Kills everything on a node, and says that it is gone, as does whoever watches over nodes."""
        processes = [self.daemons[node].pid]
        for process in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                title = Path(f"/proc/{process}/cmdline").read_bytes()
                if title.startswith(f"slurmstepd: [{job}.".encode()):
                    processes += [process, *descendants(process)]
        assert len(processes) >= 5, f"too little runs on {node}: {processes}"
        kill(processes)
        self.daemons[node].wait(END)
        self.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")


def artifacts(run):
    """The SHA-256 of each artifact, by its path in the run folder."""
    # Shares that work together remove folders of unfinished work meanwhile, at which `Path.rglob` fails.
    found = sorted(Path(folder, name) for folder, _, names in os.walk(run) for name in names if name.endswith(".aeva"))
    return {path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def digest(found):
    return hashlib.sha256("".join(f"{name} {found[name]}\n" for name in sorted(found)).encode()).hexdigest()


def report(run):
    return json.loads(Path(run, "report.json").read_text(encoding="utf-8"))


def ends_of_logs():
    texts = {log: log.read_text(encoding="utf-8", errors="replace") for log in Path().glob("*.log")}
    return "\n".join(f"{log}: {text[-1500:]}" for log, text in texts.items())


class Transcript:
    """Prints each job's state when it changes."""

    def __init__(self, slurm):
        self.slurm, self.states = slurm, {}

    def is_over(self):
        jobs = self.slurm.jobs()
        for number, job in jobs.items():
            state = {"JobState": job["JobState"], "Restarts": job["Restarts"]}
            if job["JobState"] == "PENDING" and job["Reason"] != "None":
                state["Reason"] = job["Reason"]
            if job["JobState"] not in ("PENDING", "CONFIGURING"):
                state |= {key: job[key] for key in ("BatchHost", "ExitCode") if key in job}
            if self.states.get(number) != state:
                self.states[number] = state
                task = job.get("ArrayTaskId")
                name = f"task {task}" if task else job["JobName"]
                say(f"{name}, job {number}: {', '.join(f'{key}={value}' for key, value in state.items())}")
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
        return bool(jobs) and all(job["JobState"] in ended for job in jobs.values())


def test(slurm, folder):
    words = [AEVA, "scan", MODEL, "--data", DATA, "--seed", SEED, *OPTIONS, "--out", "whole"]
    at = time.monotonic()
    with Path("whole.log").open("wb") as log:
        code = subprocess.run(list(map(str, words)), stdout=log, stderr=log, timeout=PATIENCE).returncode
    assert code == 1, (code, ends_of_logs())
    whole = artifacts("whole")
    assert sum(name.startswith("pairs-v1/") for name in whole) == PAIRS < len(whole), len(whole)
    say(f"a scan that is not split: {len(whole)} artifacts, {time.monotonic() - at:.1f} s")

    scripts = ROOT / "docs" / "cluster"
    variables = {"AEVA": AEVA, "MODEL": MODEL, "DATA": DATA, "OUT": "split", "SEED": SEED, "OPTIONS": " ".join(OPTIONS)}
    variables = {name: str(value) for name, value in variables.items()}
    submit = ["sbatch", "--parsable", "--cpus-per-task=1", f"--chdir={folder}"]
    at = time.monotonic()
    options = ["--array", f"1-{TASKS}", "--output", "task-%a.log"]
    array = slurm.ask(*submit, *options, scripts / "slurm-array.sbatch", **variables).strip()
    options = [f"--dependency=afterok:{array}", "--output=merge.log"]
    merge = slurm.ask(*submit, *options, scripts / "slurm-merge.sbatch", **variables).strip()
    say(f"submitted: array {array}, then job {merge}")

    transcript = Transcript(slurm)

    def in_the_middle():
        assert not transcript.is_over(), ends_of_logs()
        return len(artifacts("split")) >= MIDDLE and all(map(slurm.process_of, range(1, TASKS + 1)))

    wait_for("the middle of the work", in_the_middle, PATIENCE)
    # One task has the number of the whole array, which must not be queued again with it.
    killed = int(slurm.jobs()[array]["ArrayTaskId"])
    process, job, node = slurm.process_of(killed)
    kill([process])
    say(f"killed: process {process}, the program of task {killed}, job {job}, on {node}")
    lost = killed % TASKS + 1
    _, job, node = slurm.process_of(lost)
    slurm.lose(node, job)
    say(f"lost: {node}, with task {lost}, job {job}")
    there = len(artifacts("split"))
    assert there < PAIRS, f"all {there} artifacts were there before"
    wait_for("the end of all jobs", transcript.is_over, PATIENCE)
    took = time.monotonic() - at

    jobs = slurm.jobs()
    tasks = {int(job["ArrayTaskId"]): job for job in jobs.values() if job.get("ArrayJobId") == array}
    assert sorted(tasks) == list(range(1, TASKS + 1)), tasks
    for task, job in sorted(tasks.items()):
        text = Path(f"task-{task}.log").read_text(encoding="utf-8", errors="replace")
        starts = re.findall(rf"^share {task}/{TASKS} on (\S+), restarts: (\d+)$", text, re.M)
        ends = re.findall(rf"^share {task}/{TASKS} ended with (\d+)$", text, re.M)
        say(
            f"task {task}: {job['JobState']}, starts on {', '.join(node for node, _ in starts)}, "
            f"programs ended with {', '.join(ends)}, last start took {job['RunTime']}"
        )
        restarts = int(task in (killed, lost))
        assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("COMPLETED", "0:0", str(restarts)), (job, text)
        assert [count for _, count in starts] == [str(count) for count in range(restarts + 1)], text
        # A lost node says nothing.
        assert ends == (["137", "0"] if task == killed else ["0"]), text
        if task == lost:
            assert starts[0][0] == node != starts[1][0], starts
    text = Path("merge.log").read_text(encoding="utf-8", errors="replace")
    # A backdoor is exit code 1.
    assert (jobs[merge]["JobState"], jobs[merge]["ExitCode"]) == ("FAILED", "1:0"), (jobs[merge], text[-2000:])
    say(f"verdict: {report('split')['verdict']}, suspects {report('split')['suspects']}, job {merge} took "
        f"{jobs[merge]['RunTime']}, all jobs {took:.1f} s")

    for field in ("verdict", "suspects"):
        assert report("whole")[field] == report("split")[field], f"another {field}"
    split = artifacts("split")
    same = {name: split.get(name) for name in whole}
    other = [name for name in whole if same[name] != whole[name]]
    assert not other, f"missing in the shares, or others: {other}"
    manifests = {f"{task}-of-{TASKS}.json" for task in tasks}
    assert {path.name for path in Path("split", "shards").iterdir()} == manifests
    named = "".join(Path("split", "shards", name).read_text(encoding="utf-8") for name in manifests)
    pairs = [name for name in split if name.startswith("pairs-v1/")]
    assert len(pairs) == PAIRS and all(named.count(split[name]) == 1 for name in pairs), "not each pair is in one share"
    say(f"whole: {len(whole)} artifacts, {digest(whole)}")
    say(f"split: {len(split)} artifacts, of which those of `whole` have {digest(same)}")
    return len(same)


def main():
    if reason := missing():
        print(f"SKIPPED: {reason}", flush=True)
        return 1 if asked.require else 0
    # Everything ends with this however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    version = [shutil.which("slurmctld", path=SEARCH), "-V"]
    print(subprocess.run(version, capture_output=True, encoding="utf-8", check=True).stdout.strip(), flush=True)
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        before = Path.cwd()
        work = Path(folder) / "work"
        work.mkdir()
        os.chdir(work)
        try:
            with Slurm(folder) as slurm:
                equal = test(slurm, work)
        finally:
            # Leave the folder before it is removed.
            os.chdir(before)
    print(
        f"Slurm: {TASKS} tasks, 1 killed and requeued, 1 requeued from a lost node, {equal} artifacts equal "
        f"({time.monotonic() - BEGIN:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
