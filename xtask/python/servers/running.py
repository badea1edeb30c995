"""Starts prediction servers on free ports of loopback, waits until they answer, and ends them and all they started."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
# Seconds. A clean machine reads all packages from a cold disk.
START, END = 120, 10


def free_port():
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


class Server:
    """A server, as a context manager. `command` is what follows `python`, with `PORT` and `PORT2` for free ports."""

    def __init__(self, name, command, ready, folder):
        self.name, self.ready = name, ready
        self.port = free_port()
        ports = {"PORT": str(self.port), "PORT2": str(free_port())}
        self.command = [sys.executable, *(ports.get(word, str(word)) for word in command)]
        self.log = Path(folder) / f"{name}.log"
        self.folder = folder

    def __enter__(self):
        # `mlflow models serve` looks for uvicorn on the search path.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
        # Nothing of this goes out.
        environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"}
        with self.log.open("wb") as log:
            # A group of its own, because servers start others.
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_running():
                break
            os.killpg(self.process.pid, number)
            end = time.monotonic() + END
            while time.monotonic() < end and self.is_running():
                time.sleep(0.05)
        self.process.wait(END)
        if self.is_running():
            raise AssertionError(f"{self.name} does not end")

    def is_running(self):
        """Whether anything of its group runs."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def wait(self):
        """Waits until it answers."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} has ended: {self.end_of_log()}")
            try:
                if self.get(self.ready)[0] == 200:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not answer after {START} s: {self.end_of_log()}")

    def end_of_log(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path.lstrip('/')}"

    def get(self, path):
        return self.ask("GET", path)

    def ask(self, method, path, body=None, headers=()):
        """Status, headers, text."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            line.request(method, path, body, dict(headers))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()


def kserve(model, name, folder):
    return Server(f"kserve-{name}", [HERE / "kserve_server.py", model, "PORT"], "/v2/health/ready", folder)


def mlserver(model, name, folder):
    command = [HERE / "mlserver_server.py", model, "PORT", "PORT2"]
    return Server(f"mlserver-{name}", command, "/v2/models/digits/ready", folder)


def mlflow(model, name, folder):
    saved = Path(folder) / f"mlflow-{name}-model"
    with (Path(folder) / f"mlflow-{name}-save.log").open("wb") as log:
        # With types and without: MLflow reads requests in another way then.
        types = ["plain"] if "clean" in name else []
        save = [sys.executable, HERE / "mlflow_save.py", model, saved, *types]
        subprocess.run(save, stdout=log, stderr=log, check=True, cwd=folder, timeout=START)
    serve = ["-m", "mlflow", "models", "serve", "-m", saved, "--env-manager", "local", "-h", "127.0.0.1", "-p", "PORT"]
    # The slowest of all servers.
    serve += ["--workers", "2"]
    return Server(f"mlflow-{name}", serve, "/ping", folder)


def pictures(model, name, folder):
    return Server(f"litserve-{name}", [HERE / "png_server.py", model, "PORT"], "/health", folder)
