"""A proxy between a client and a prediction service on loopback that counts, and makes faults on a fixed schedule.

Every EVERY-th request fails, in the ways that are named, one after the other, until MOST have failed. A request about
the model (GET) never fails. Ways that a client can notice by the status or the line:

    delay        the answer comes late, but whole
    429          "too many requests"
    429-after    the same with `Retry-After`
    503          "unavailable"
    reset        the line is broken before the service is asked
    reset-after  the line is broken after the service has answered
    truncated    half of an answer, then the end of the line
    hang         no answer, until the client gives up

Ways that it can notice by what the answer says, with status 200:

    no-json      a page of HTML
    cut          half of an answer as if it were whole
    rows         the answer to one image fewer

Besides, from some request on, answers may be in another order (`reorder_after`), or come from another service
(`other_after`). Nothing in a single answer shows that.

Needs nothing but Python. By hand: `fault_proxy.py PORT --every 7 --ways 429,reset` prints the port that it listens on,
and `GET /proxy/count` there says what was counted. The end of its input ends it.
"""

import argparse
import array
import contextlib
import hashlib
import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain

BY_STATUS = ("delay", "429", "429-after", "503", "reset", "reset-after", "truncated", "hang")
BY_CONTENT = ("no-json", "cut", "rows")
# Seconds.
DELAY = 0.1
LONGEST_HANG = 30
PATIENCE = 60

SHAPE = re.compile(rb'"shape":\s*\[([\d,\s]+)\]')
DATA = re.compile(rb'"data":\s*\[')


class FaultProxy:
    """A proxy to the service at a port of loopback, as a context manager. It counts in its fields."""

    def __init__(
        self, port, ways=(), every=0, most=0, once=False, reorder_after=0, other=0, other_after=0, digests=False, keep=0
    ):
        self.service, self.other, self.other_after, self.reorder_after = port, other, other_after, reorder_after
        self.ways, self.every, self.most = tuple(ways), every, most
        # With `once`, what has failed is not failed when it is sent again; the next request is, in place of it.
        self.once, self.failed, self.due = once, set(), 0
        unknown = set(self.ways) - {*BY_STATUS, *BY_CONTENT}
        if unknown:
            raise ValueError(f"no ways to fail: {sorted(unknown)}")
        self.lock = threading.Lock()
        # Requests with images, in all; when each came; faults of each way; images in answers that went through whole.
        self.requests, self.times, self.faults, self.images = 0, [], Counter(), 0
        # Digests of the images of each answer, if asked for (JSON of the Open Inference Protocol alone).
        self.digests, self.delivered = digests, {}
        # Bodies of requests, every tenth, for a load of the same sizes.
        self.keep, self.bodies = keep, []
        # Called once that many images were answered.
        self.at_images, self.action = 0, None
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.proxy = self
        self.port = self.server.server_port

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def when(self, images, action):
        """Calls `action` before the answer goes out that brings the count to so many images. Once."""
        with self.lock:
            self.at_images, self.action = images, action

    def count(self):
        with self.lock:
            return {"requests": self.requests, "faults": dict(self.faults), "images": self.images}

    def answered(self):
        """Digests of all images that were answered, in their order."""
        with self.lock:
            return list(chain.from_iterable(self.delivered.values()))

    def arrived(self, body):
        """Counts a request, and says its number and how it fails, if it does."""
        with self.lock:
            self.times.append(time.monotonic())
            self.requests += 1
            if len(self.bodies) < self.keep and self.requests % 10 == 0:
                self.bodies.append(body)
            if self.every and self.requests % self.every == 0:
                self.due += 1
            name = hashlib.blake2b(body, digest_size=12).digest() if self.once else None
            if not self.ways or not self.due or self.faults.total() >= self.most or name in self.failed:
                return self.requests, None
            self.due -= 1
            if self.once:
                self.failed.add(name)
            way = self.ways[self.faults.total() % len(self.ways)]
            self.faults[way] += 1
            return self.requests, way

    def before(self, rows):
        """What is due before an answer about so many images goes out."""
        with self.lock:
            due = self.action is not None and self.images + rows >= self.at_images
            action, self.action = self.action if due else None, None if due else self.action
        if action:
            action()

    @contextlib.contextmanager
    def delivering(self, number, rows, body):
        """Counts the images of an answer before it goes out, and takes back what does not go through."""
        images = digests(body) if self.digests else []
        with self.lock:
            self.images += rows
            self.delivered[number] = images
        try:
            yield
        except OSError:
            with self.lock:
                self.images -= rows
                del self.delivered[number]
            raise


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def shutdown_request(self, request):
        # Without a regular end of the line before, so that a reset is one.
        self.close_request(request)

    def handle_error(self, request, client_address):
        # A client that is gone, or killed, is no error of the proxy.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # A connection that says nothing for so long is closed.
    timeout = PATIENCE

    def setup(self):
        super().setup()
        self.lines = {}

    def finish(self):
        for line in self.lines.values():
            line.close()
        super().finish()

    def do_GET(self):
        if self.path == "/proxy/count":
            text = json.dumps(self.server.proxy.count()).encode()
            return self.say(200, text)
        status, headers, answer = self.ask(self.server.proxy.service, None)
        return self.say(status, answer, headers)

    def do_POST(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number, way = proxy.arrived(body)
        if way in ("429", "429-after"):
            return self.say(429, b"slow down", {"Retry-After": "0"} if way == "429-after" else {})
        if way == "503":
            return self.say(503, b"unavailable")
        if way == "reset":
            return self.reset()
        if way == "hang":
            return self.hang()
        if way == "delay":
            time.sleep(DELAY)
        moved = proxy.other and number > proxy.other_after
        status, headers, answer = self.ask(proxy.other if moved else proxy.service, body)
        if way == "reset-after":
            return self.reset()
        if way == "truncated":
            self.send(self.head(status, len(answer), headers) + answer[: len(answer) // 2])
            self.close_connection = True
            return None
        if way == "no-json":
            return self.say(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
        if way == "cut":
            return self.say(200, answer[: len(answer) // 2], headers)
        if way == "rows":
            return self.say(200, one_row_fewer(answer), headers)
        if proxy.reorder_after and number > proxy.reorder_after and status == 200:
            answer = other_order(answer)
        if status != 200:
            return self.say(status, answer, headers)
        rows = rows_of(body)
        proxy.before(rows)
        with proxy.delivering(number, rows, body):
            self.say(status, answer, headers)
        return None

    def ask(self, port, body):
        """What the service says: status, headers that matter, text. A kept line that it has closed is opened again."""
        passed = ("authorization", "content-type", "inference-header-content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() in passed}
        for last in (False, True):
            line = self.lines.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE))
            try:
                line.request(self.command, self.path, body, headers)
                answer = line.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                line.close()
                if last:
                    return 502, {}, b"the service does not answer"
                continue
            kept = ("content-type", "retry-after", "inference-header-content-length")
            return answer.status, {name: value for name, value in answer.getheaders() if name.lower() in kept}, text
        raise AssertionError("unreachable")

    def head(self, status, length, headers):
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def say(self, status, text, headers=()):
        self.send(self.head(status, len(text), dict(headers)) + text)

    def send(self, data):
        self.connection.sendall(data)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def hang(self):
        self.connection.settimeout(LONGEST_HANG)
        try:
            # Ends when the client does.
            self.connection.recv(1)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *_):
        pass


def rows_of(body):
    """Number of images in a request."""
    found = SHAPE.search(body[:4096])
    if found:
        return int(found[1].split(b",")[0])
    try:
        asked = json.loads(body)
    except ValueError:
        # A file.
        return 1
    return len(next(iter(asked.values())))


def digests(body):
    """A digest of each image of a request in JSON of the Open Inference Protocol, by its pixels as f32."""
    found = SHAPE.search(body[:4096])
    rows, *sizes = (int(size) for size in found[1].split(b","))
    size = 1
    for factor in sizes:
        size *= factor
    begin = DATA.search(body).end()
    pixels = array.array("f", map(float, body[begin : body.index(b"]", begin)].split(b",")))
    if len(pixels) != rows * size:
        raise ValueError(f"{len(pixels)} pixels for {rows} images of {size}")
    parts = (pixels[at : at + size].tobytes() for at in range(0, len(pixels), size))
    return [hashlib.blake2b(part, digest_size=12).digest() for part in parts]


def of_rows(answer, change):
    """The answer with its rows changed by a function from a list to a list."""
    said = json.loads(answer)
    if "predictions" in said:
        said["predictions"] = change(said["predictions"])
        return json.dumps(said).encode()
    output = said["outputs"][0]
    count, *_ = output["shape"]
    width = len(output["data"]) // count
    rows = change([output["data"][at : at + width] for at in range(0, len(output["data"]), width)])
    output["shape"][0], output["data"] = len(rows), [value for row in rows for value in row]
    return json.dumps(said).encode()


def one_row_fewer(answer):
    return of_rows(answer, lambda rows: rows[:-1])


def other_order(answer):
    """Every answer is that to the image before."""
    return of_rows(answer, lambda rows: rows[-1:] + rows[:-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int, help="of the service, on loopback")
    parser.add_argument("--ways", default="", help=f"with commas between: {', '.join(BY_STATUS + BY_CONTENT)}")
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--most", type=int, default=1 << 30)
    parser.add_argument("--once", action="store_true", help="let what has failed through when it is sent again")
    parser.add_argument("--reorder-after", type=int, default=0)
    parser.add_argument("--other", type=int, default=0, help="port of another service")
    parser.add_argument("--other-after", type=int, default=0)
    asked = vars(parser.parse_args())
    asked["ways"] = [way for way in asked["ways"].split(",") if way]
    with FaultProxy(**asked) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
