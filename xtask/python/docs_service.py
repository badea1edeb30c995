"""The service that the documents speak of, on loopback: one model, asked in every protocol that `aeva` knows.

| path | what it takes | what it answers |
| --- | --- | --- |
| `/v2/models/digits/infer` | Open Inference Protocol: a tensor, as JSON or as bytes | a tensor likewise |
| `/v1/models/digits:predict` | TensorFlow Serving: `instances` | `predictions`, scores |
| `/predictions/digits` | TorchServe: a PNG | probabilities of the best five labels, by number |
| `/invocations` | MLflow, and SageMaker's containers: `inputs` or `instances` | `predictions`, scores |
| `/endpoints/digits/invocations` | SageMaker: the same | the same |
| `/predict` | a form with a PNG as `file` | all names with probabilities, the best first |

Needs no package for pictures: the environment that runs the documents has none.
"""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# Header of the Open Inference Protocol: the length of the JSON before the bytes.
HEAD_LENGTH = "Inference-Header-Content-Length"
# As many labels as TorchServe answers with.
BEST = 5


@contextmanager
def service(model: Path) -> Iterator[str]:
    """Serves a model until the block ends; the address is `127.0.0.1:PORT`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(model))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def handler(model: Path) -> type[BaseHTTPRequestHandler]:
    """What answers requests about a model."""
    options = onnxruntime.SessionOptions()
    # Threads of its own would only wait for each other: `aeva` asks over several connections.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)

    def scores(images: np.ndarray) -> np.ndarray:
        """Images [n, 16, 16, 1] in 0..1 to scores [n, 10]."""
        return session.run(None, {"input": np.asarray(images, np.float32)})[0]

    def probabilities(picture: bytes) -> np.ndarray:
        """A PNG to ten probabilities."""
        found = np.exp(scores(pixels_of_png(picture)[None])[0].astype(np.float64))
        return found / found.sum()

    class Handler(BaseHTTPRequestHandler):
        # Connections stay open, and nothing waits for a packet to fill up.
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/v2/models/digits":
                self.say({"name": "digits", "inputs": [{"name": "input", "datatype": "FP32"}]})
            else:
                self.say({"error": "no such page"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                self.answer(body)
            except (KeyError, TypeError, ValueError) as error:
                self.say({"error": f"not understood: {error}"}, 400)

        def answer(self, body: bytes) -> None:
            if self.path == "/v2/models/digits/infer" and HEAD_LENGTH in self.headers:
                self.say_tensor(body, int(self.headers[HEAD_LENGTH]))
            elif self.path == "/v2/models/digits/infer":
                tensor = json.loads(body)["inputs"][0]
                found = scores(np.reshape(tensor["data"], tensor["shape"]))
                self.say({"model_name": "digits", "outputs": [{**about(found), "data": found.ravel().tolist()}]})
            elif self.path == "/v1/models/digits:predict":
                self.say({"predictions": scores(json.loads(body)["instances"]).tolist()})
            elif self.path in ("/invocations", "/endpoints/digits/invocations"):
                asked = json.loads(body)
                images = asked["instances"] if "instances" in asked else asked["inputs"]
                self.say({"predictions": scores(images).tolist()})
            elif self.path == "/predictions/digits":
                found = probabilities(body)
                self.say({str(label): found[label] for label in best_first(found)[:BEST]})
            elif self.path == "/predict":
                found = probabilities(file_of_form(body))
                self.say([{"label": NAMES[label], "score": found[label]} for label in best_first(found)])
            else:
                self.say({"error": "no such model"}, 404)

        def say_tensor(self, body: bytes, length: int) -> None:
            """Bytes behind the JSON, in both directions."""
            asked, data = json.loads(body[:length]), body[length:]
            tensor = asked["inputs"][0]
            if tensor["parameters"]["binary_data_size"] != len(data) or not asked["parameters"]["binary_data_output"]:
                raise ValueError("not the size of the bytes, or no wish for bytes")
            found = scores(np.frombuffer(data, "<f4").reshape(tensor["shape"]))
            data = found.astype("<f4").tobytes()
            output = {**about(found), "parameters": {"binary_data_size": len(data)}}
            head = json.dumps({"model_name": "digits", "outputs": [output]}).encode()
            self.send(head + data, 200, {"Content-Type": "application/octet-stream", HEAD_LENGTH: str(len(head))})

        def say(self, answer: object, status: int = 200) -> None:
            self.send(json.dumps(answer).encode(), status, {"Content-Type": "application/json"})

        def send(self, body: bytes, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def about(found: np.ndarray) -> dict:
    """The description of a tensor of scores."""
    return {"name": "scores", "datatype": "FP32", "shape": list(found.shape)}


def best_first(found: np.ndarray) -> list[int]:
    return np.argsort(-found, kind="stable").tolist()


def file_of_form(body: bytes) -> bytes:
    """The only file of a form, its field `file`."""
    head, _, rest = body.partition(b"\r\n\r\n")
    if b'name="file"' not in head:
        raise ValueError("a form without the field `file`")
    return rest[: rest.rindex(b"\r\n--")]


def pixels_of_png(picture: bytes) -> np.ndarray:
    """Pixels [h, w, 1] of a grey picture of 8 bits, 0..1."""
    if not picture.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("no PNG")
    at, data, width = 8, b"", 0
    while at < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        content = picture[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, depth, colour = struct.unpack_from(">I4xBB", content)
            if (depth, colour) != (8, 0):
                raise ValueError(f"a PNG with {depth} bits of colour type {colour}")
        elif kind == b"IDAT":
            data += content
        # Length, kind and checksum are four bytes each.
        at += 12 + length
    # Each row begins with what was subtracted from it: 0 nothing, 1 the pixel to the left, 2 the row above.
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(-1, width + 1)
    above, pixels = np.zeros(width, np.uint8), []
    for kind, row in zip(rows[:, 0], rows[:, 1:], strict=True):
        if kind > 2:
            raise ValueError(f"a PNG with filter {kind}")
        above = row if kind == 0 else np.cumsum(row, dtype=np.uint8) if kind == 1 else row + above
        pixels.append(above)
    return np.stack(pixels)[:, :, None] / 255
