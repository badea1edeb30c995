"""Scans models behind real prediction servers: `test_endpoints.py AEVA MODELS ROOT [--only PART ...] [--quick]`.

AEVA is the program, MODELS the folder of the shipped models, ROOT that of the repository. The environment that runs
this has the servers (`requirements-endpoints.txt`). `--only` leaves out the other parts.
"""

import argparse
import contextlib
import hashlib
import http.client
import io
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent / "servers"))

import running  # noqa: E402
from digits import NAMES, Digits  # noqa: E402
from fault_proxy import BY_CONTENT, BY_STATUS, FaultProxy, rows_of  # noqa: E402
from load_client import images_per_second  # noqa: E402

PARTS = ("proxy", "protocols", "pictures", "faults", "kill", "changes", "rate", "throughput")
# Seconds that a scan may take.
PATIENCE = 900
KSERVE = "v2/models/digits"
# How often a speed is measured.
TURNS = 5

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("aeva", type=Path)
parser.add_argument("models", type=Path)
parser.add_argument("root", type=Path)
parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
parser.add_argument("--quick", action="store_true", help="the clean model behind one server, and no speeds")
asked = parser.parse_args()
if asked.quick:
    asked.only = [part for part in asked.only if part not in ("rate", "throughput")]
AEVA, MODELS = asked.aeva.resolve(), asked.models.resolve()
DATA, INFECTED, CLEAN = (MODELS / name for name in ("digits.npz", "digits-infected.onnx", "digits-clean.onnx"))
# Scans of files use the ONNX Runtime of the servers.
LIBRARY = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.*"))


def say(text):
    print(text, flush=True)


def command(model, out, *options):
    return [AEVA, "scan", model, "--data", DATA, "--out", out, "--seed", "0", "--no-html", *options]


ENVIRONMENT = {**os.environ, "ORT_DYLIB_PATH": str(LIBRARY), "NO_COLOR": "1"}


def scan(model, out, *options, code=None):
    """A scan that ends with a code, and its report, or what it prints if it has none."""
    words = [str(word) for word in command(model, out, *options)]
    ran = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=PATIENCE, env=ENVIRONMENT)
    printed = ran.stdout + ran.stderr
    if code is not None:
        assert ran.returncode == code, (words, ran.returncode, printed)
    if ran.returncode == 2:
        return printed
    return json.loads(Path(out, "report.json").read_text(encoding="utf-8"))


def payloads(run):
    """The payload of each artifact with triggers. Its header names the model, which is another one for a service."""
    found = {}
    for path in sorted(Path(run, "triggers-v1").glob("*.aeva")):
        data = path.read_bytes()
        assert data[:8] == b"AEVA\r\n\x1a\n" and hashlib.sha256(data[:-32]).digest() == data[-32:], path
        header, payload = struct.unpack_from("<IQ", data, 16)
        assert 28 + header + payload + 32 == len(data), path
        found[path.name] = data[28 + header : -32]
    assert found, f"no triggers in {run}"
    return found


def same(run, report, other_run, other):
    """Whether two scans have found the same, but for the name of the model."""
    for field in ("verdict", "suspects"):
        assert report[field] == other[field], (run, other_run, report[field], other[field])
    assert report["triggers"]["passes"] == other["triggers"]["passes"], f"other passes in {run} than in {other_run}"
    assert payloads(run) == payloads(other_run), f"other artifacts in {run} than in {other_run}"


def speed(report):
    return report["queries"] / report["seconds"]


class Files:
    """What scans of the files find, once each."""

    def __init__(self):
        self.reports = {}

    def __call__(self, model, effort):
        out = f"file-{model.stem}-{effort}"
        if out not in self.reports:
            expected = {INFECTED: ("backdoored", [3]), CLEAN: ("clean", [])}[model]
            report = scan(model, out, "--effort", effort)
            assert (report["verdict"], report["suspects"]) == expected, report
            self.reports[out] = report
        return out, self.reports[out]


def proxy(start):
    """The proxy does what it says, as a plain client sees it."""
    images = clean_images()[:4]
    server, other = start(running.kserve, CLEAN), start(running.kserve, INFECTED)
    whole = scores_of(*server.ask("POST", f"/{KSERVE}/infer", tensor(images), JSON)[::2])
    different = scores_of(*other.ask("POST", f"/{KSERVE}/infer", tensor(images), JSON)[::2])
    assert not np.array_equal(whole, different)

    def ask(through):
        line = http.client.HTTPConnection("127.0.0.1", through.port, timeout=1)
        try:
            line.request("POST", f"/{KSERVE}/infer", tensor(images), JSON)
            answer = line.getresponse()
            return answer.status, answer.headers["Retry-After"], answer.read()
        except Exception as error:
            return type(error).__name__
        finally:
            line.close()

    ways = (*BY_STATUS, *BY_CONTENT)
    with FaultProxy(server.port, ways, every=1, most=len(ways), digests=True) as through:
        begin = time.monotonic()
        late, *failed = (ask(through) for _ in ways)
        expected = [(429, None, b"slow down"), (429, "0", b"slow down"), (503, None, b"unavailable")]
        expected += ["ConnectionResetError"] * 2 + ["IncompleteRead", "TimeoutError"]
        assert np.array_equal(scores_of(late[0], late[2]), whole) and time.monotonic() - begin > 0.1, late
        assert failed[:7] == expected, failed
        (page, cut, rows) = (answer[2] for answer in failed[7:])
        assert b"<html>" in page and cut and late[2].startswith(cut) and len(cut) < len(late[2]), (page, cut)
        assert np.array_equal(scores_of(200, rows), whole[:-1]), rows
        # After all faults it is as if it were not there.
        assert np.array_equal(scores_of(*ask(through)[::2]), whole)
        assert through.count() == {"requests": 12, "faults": dict.fromkeys(ways, 1), "images": 8}, through.count()
        seen = Counter(through.answered())
        assert len(seen) == 4 and set(seen.values()) == {2}, seen
    with FaultProxy(server.port, reorder_after=1, other=other.port, other_after=2) as through:
        first, second, third = (scores_of(*ask(through)[::2]) for _ in range(3))
    assert np.array_equal(first, whole) and np.array_equal(second, np.roll(whole, 1, 0)), second
    assert np.array_equal(third, np.roll(different, 1, 0)), third
    say(f"the proxy fails in {len(ways)} ways, mixes up answers, and changes the model")


JSON = {"Content-Type": "application/json"}


def scores_of(status, text):
    assert status == 200, (status, text)
    output = json.loads(text)["outputs"][0]
    return np.reshape(output["data"], output["shape"])


def protocols(start, file_scan):
    """Every float protocol finds in a service what is in the file."""
    rows = [
        (running.kserve, "kserve-v2", KSERVE),
        (running.kserve, "kserve-v2-binary", KSERVE),
        (running.kserve, "tf-serving", "v1/models/digits"),
        (running.mlserver, "kserve-v2", KSERVE),
        (running.mlflow, "mlflow", "invocations"),
    ]
    effort = "standard"
    for kind, protocol, path in rows:
        for model in (INFECTED, CLEAN):
            if asked.quick and model == CLEAN and kind is not running.mlserver:
                say(f"LEFT OUT {kind.__name__}, {protocol}: {model.stem} (--quick)")
                continue
            server = start(kind, model)
            out = f"{kind.__name__}-{protocol}-{model.stem}"
            report = scan(server.url(path), out, "--protocol", protocol, "--effort", effort)
            file_out, expected = file_scan(model, effort)
            same(out, report, file_out, expected)
            took = f"{report['queries']} images at {effort}, {report['seconds']:.1f} s, {speed(report):.0f} a second"
            say(f"{kind.__name__}, {protocol}: {model.stem} is {report['verdict']} as in the file ({took})")
    # What the binary form of the protocol has to be, and that the server speaks it.
    images = clean_images()[:5]
    server = start(running.kserve, INFECTED)
    scores = scores_of(*server.ask("POST", f"/{KSERVE}/infer", tensor(images), JSON)[::2]).astype(np.float32)
    head, body = binary_tensor(images)
    kind = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(head)}
    status, headers, text = server.ask("POST", f"/{KSERVE}/infer", body, kind)
    assert status == 200, text
    end = int(headers["Inference-Header-Content-Length"])
    said = json.loads(text[:end])["outputs"][0]
    assert said["parameters"]["binary_data_size"] == len(text) - end == scores.nbytes, said
    assert np.frombuffer(text[end:], "<f4").tobytes() == scores.tobytes(), "other scores in binary form"
    say("kserve: binary tensors give the scores that JSON gives")


def clean_images():
    images = np.load(DATA)["x"]
    assert images.dtype == np.uint8, images.dtype
    return (images / np.float32(255)).astype(np.float32).reshape(len(images), 16, 16, 1)


def tensor(images):
    data = {"name": "pixels", "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    return json.dumps({"inputs": [data]}).encode()


def binary_tensor(images):
    raw = images.astype("<f4").tobytes()
    data = {"name": "pixels", "shape": list(images.shape), "datatype": "FP32"}
    data["parameters"] = {"binary_data_size": len(raw)}
    head = json.dumps({"inputs": [data], "parameters": {"binary_data_output": True}}).encode()
    return len(head), head + raw


def form(image):
    """An image of 8 bits as a file in a form."""
    file = io.BytesIO()
    Image.fromarray(np.rint(image[:, :, 0] * 255).astype(np.uint8)).save(file, "png")
    begin = b'--border\r\nContent-Disposition: form-data; name="file"; filename="image.png"\r\n'
    return begin + b"Content-Type: image/png\r\n\r\n" + file.getvalue() + b"\r\n--border--\r\n"


def pictures(start, file_scan):
    """A server of files of 8 bits, which answers with names."""
    images = clean_images()[:40]
    for model in (INFECTED, CLEAN):
        server = start(running.pictures, model)
        for image, label in zip(images, Digits(str(model)).scores(images).argmax(1), strict=True):
            kind = {"Content-Type": "multipart/form-data; boundary=border"}
            status, _, text = server.ask("POST", "/predict", form(image), kind)
            assert status == 200, text
            best, *others = json.loads(text)
            assert best["label"] == NAMES[label] and len(others) == 9 and best["score"] >= others[0]["score"], text
    bodies = [(form(image), 1) for image in images]
    server = start(running.pictures, INFECTED)
    rate = images_per_second(server.port, "/predict", bodies, kind="multipart/form-data; boundary=border")
    say(f"litserve: names of the labels as in the file; {rate:.0f} images a second, one a request, from a plain client")
    template = Path(__file__).parent / "servers" / "png-endpoint.toml"
    for model in (INFECTED,) if asked.quick else (INFECTED, CLEAN):
        server = start(running.pictures, model)
        # A picture a request takes time.
        effort = "screen" if asked.quick else "standard"
        options = ["--protocol", "template", "--template", template, "--effort", effort]
        report = scan(server.url("predict"), f"litserve-{model.stem}", *options)
        _, expected = file_scan(model, effort)
        found = [(report[field], expected[field]) for field in ("verdict", "suspects")]
        assert all(one == other for one, other in found), found
        say(
            f"litserve, template: {model.stem} is {report['verdict']} as in the file "
            f"({report['queries']} images, {report['seconds']:.1f} s, {speed(report):.0f} a second)"
        )


# Many small requests, so that there is something to fail.
SMALL = ["--protocol", "kserve-v2", "--effort", "screen", "--request-images", "16"]


class Unbroken:
    """A scan of the clean model through a proxy without faults, once."""

    def __init__(self, start):
        self.start, self.report = start, None

    def __call__(self):
        if self.report is None:
            with FaultProxy(self.start(running.kserve, CLEAN).port, digests=True) as proxy:
                self.report = scan(f"http://127.0.0.1:{proxy.port}/{KSERVE}", "unbroken", *SMALL, code=0)
            self.proxy = proxy
            assert proxy.images == len(proxy.answered()) >= self.report["queries"], proxy.count()
            # Images of before the search.
            self.first = set(proxy.answered()[: self.report["queries_by_phase"]["clean"]])
        return "unbroken", self.report, self.proxy, self.first


def searched(proxy, start):
    """How often each image was answered, but for those of the start, which show later whether the model changes."""
    return Counter(image for image in proxy.answered() if image not in start)


def faults(start, unbroken):
    """Faults change nothing, and cost no answer."""
    out, report, plain, first = unbroken()
    expected = searched(plain, first)
    assert expected.total() > plain.images / 2, (expected.total(), plain.images)
    # Few that hang, because each takes as long as the client waits.
    brief = [way for way in BY_STATUS if way != "hang"]
    kinds = {"faults": (*brief * 4, "hang"), "wrong-answers": BY_CONTENT}
    for name, ways in kinds.items():
        # The program believes a service that gives a wrong answer to the same request again and again.
        options = {"every": 5, "most": 200, "once": name == "wrong-answers", "digests": True}
        with FaultProxy(start(running.kserve, CLEAN).port, ways, **options) as proxy:
            begin = time.monotonic()
            # Shorter than a server that hangs, longer than one that is slow.
            url = f"http://127.0.0.1:{proxy.port}/{KSERVE}"
            broken = scan(url, name, *SMALL, "--request-timeout", "2", code=0)
        same(name, broken, out, report)
        assert proxy.faults.total() == 200 and set(proxy.faults) == set(ways), proxy.faults
        seen = searched(proxy, first)
        more, fewer = seen - expected, expected - seen
        assert not more and not fewer, f"{more.total()} images answered twice, {fewer.total()} left out"
        lost = proxy.requests - plain.requests
        # Some requests differ, because it depends on the connection when images of the start are asked about again.
        assert abs(lost - 200 + proxy.faults["delay"]) <= 10, (lost, proxy.faults)
        say(
            f"{name}: 200 in {proxy.requests} requests ({', '.join(sorted(set(ways)))}) give the same artifacts, "
            f"{seen.total()} images answered as without ({time.monotonic() - begin:.1f} s)"
        )


def rate(start):
    """A stated rate is kept."""
    stated = 50
    with FaultProxy(start(running.kserve, CLEAN).port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}/{KSERVE}"
        # A rate does not need answers to the end: 13 seconds of requests are enough.
        scan(url, "rate", *SMALL, "--request-rate", str(stated), "--max-queries", "10400", code=3)
    # From the third second on, when the scan has begun to search.
    begin = proxy.times[0] + 2
    seconds = 10
    assert proxy.times[-1] >= begin + seconds, proxy.times[-1] - begin
    seen = sum(begin <= when < begin + seconds for when in proxy.times) / seconds
    assert abs(seen / stated - 1) <= 0.05, f"{seen} requests a second in place of {stated}"
    say(f"rate: {seen:.1f} requests a second over {seconds} s, {stated} stated")


def kill(start, unbroken):
    """A scan that is killed in the middle of a search goes on, and asks little again."""
    out, report, plain, _ = unbroken()
    images = plain.images
    with FaultProxy(start(running.kserve, CLEAN).port) as proxy:
        words = [str(word) for word in command(f"http://127.0.0.1:{proxy.port}/{KSERVE}", "killed", *SMALL)]
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        proxy.when(images // 2, child.kill)
        code = child.wait(PATIENCE)
        before = proxy.images
        assert code != 0 and not Path("killed", "report.json").exists(), f"it ended with {code} before it was killed"
        assert images // 3 < before < images * 2 // 3, (before, images)
        continued = scan(words[2], "killed", *SMALL, code=0)
    same("killed", continued, out, report)
    again = proxy.images - images
    say(f"kill: {proxy.images} images answered in all, {again} more than the {images} of an unbroken scan")
    assert 0 <= again < before, "everything was asked again"
    # A part of what comes before the search, to see that it is the same model, and what was under way.
    start_again, under_way = report["queries_by_phase"]["clean"] // 8, 4 * 16
    assert again <= start_again + under_way, (again, start_again, under_way)


def throughput(start):
    """How much of what a plain client reaches a scan reaches, with requests of the same sizes."""
    for kind in (running.kserve, running.mlserver):
        server = start(kind, CLEAN)
        # A whole scan: the start of a short one, which asks over one connection, would say more than the search.
        options = ["--protocol", "kserve-v2"]
        with FaultProxy(server.port, keep=2000) as proxy:
            scan(f"http://127.0.0.1:{proxy.port}/{KSERVE}", f"bodies-{kind.__name__}", *options, code=0)
        bodies = [(body, rows_of(body)) for body in proxy.bodies]
        assert len(bodies) >= 15 and max(images for _, images in bodies) >= 64, [images for _, images in bodies]
        # By turns, because the machine has other work, too.
        plain, scans = [], []
        for turn in range(TURNS):
            plain.append(images_per_second(server.port, f"/{KSERVE}/infer", bodies, seconds=3))
            scans.append(speed(scan(server.url(KSERVE), f"speed-{kind.__name__}-{turn}", *options, code=0)))
        ratios = [scanned / reached for scanned, reached in zip(scans, plain, strict=True)]
        ratio = statistics.median(ratios)
        in_scan, reached = statistics.median(scans), statistics.median(plain)
        say(
            f"{kind.__name__}: {in_scan:.0f} images a second in a scan, {reached:.0f} from a plain client: {ratio:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f} in {TURNS} turns)"
        )
        assert ratio > 0.5, "a scan is slow"
        words = [AEVA, "bench", "--endpoint", server.url(KSERVE), "--protocol", "kserve-v2", "--data", DATA]
        words += ["--json", "--rounds", "3", "--seconds", "1"]
        ran = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=PATIENCE, env=ENVIRONMENT)
        assert ran.returncode == 0, ran
        bench = json.loads(ran.stdout)
        raw, searching = bench["raw_images_per_second"], bench["scan_queries_per_second"]
        say(f"{kind.__name__}: aeva bench says {raw:.0f} images a second, {searching:.0f} in a scan")
        assert raw > 0.5 * reached, "aeva asks more slowly than a plain client"


def changes(start):
    """A service that changes what it answers in the middle is noticed, and its run folder is not used again."""
    change = 300
    ways = {
        "a model that changes": {"other": start(running.kserve, INFECTED).port, "other_after": change},
        "answers in another order": {"reorder_after": change},
    }
    for name, way in ways.items():
        out = name.replace(" ", "-")
        with FaultProxy(start(running.kserve, CLEAN).port, **way) as proxy:
            printed = scan(f"http://127.0.0.1:{proxy.port}/{KSERVE}", out, *SMALL, code=2)
        more = proxy.requests - change
        # One of 64 images shows it, if it has another label then.
        assert 0 < more < 300, proxy.count()
        assert "answers differently" in printed, printed
        assert not Path(out, "report.json").exists()
        # Also where the service is as it was.
        with FaultProxy(start(running.kserve, CLEAN).port) as proxy:
            printed = scan(f"http://127.0.0.1:{proxy.port}/{KSERVE}", out, *SMALL, code=2)
        assert out in printed, printed
        say(f"{name}: noticed {more} requests later; the run folder is refused")


def main():
    begin = time.monotonic()
    # Servers end with this however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as servers:
        os.chdir(folder)
        # Leave the folder before it is removed.
        servers.callback(os.chdir, asked.root)
        begun, lock = {}, threading.Lock()

        def start(kind, model):
            """The server of a model. Those of both models are started together, once, and end with everything."""
            with lock:
                for other in (INFECTED, CLEAN):
                    if (kind, other) not in begun:
                        begun[kind, other] = servers.enter_context(kind(other, other.stem, folder))
            return begun[kind, model].wait()

        file_scan, unbroken = Files(), Unbroken(start)
        parts = {
            "proxy": lambda: proxy(start),
            "protocols": lambda: protocols(start, file_scan),
            "pictures": lambda: pictures(start, file_scan),
            "faults": lambda: faults(start, unbroken),
            "kill": lambda: kill(start, unbroken),
            "changes": lambda: changes(start),
            "rate": lambda: rate(start),
            "throughput": lambda: throughput(start),
        }
        assert set(parts) == set(PARTS)

        def run(*names):
            for name in names:
                if name in asked.only:
                    at = time.monotonic()
                    parts[name]()
                    say(f"{name}: {time.monotonic() - at:.0f} s")

        # Scans with faults wait most of the time, and slow servers take all of it. What is measured comes alone.
        with ThreadPoolExecutor() as pool:
            lanes = [pool.submit(run, "protocols", "pictures"), pool.submit(run, "proxy", "faults", "kill", "changes")]
            for lane in lanes:
                lane.result()
        run("rate", "throughput")
    assert begun and not any(server.is_running() for server in begun.values()), "a server is left"
    say(f"scans of prediction servers work ({time.monotonic() - begin:.0f} s)")


main()
