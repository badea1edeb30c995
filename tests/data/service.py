"""A prediction service for tests: the label is that of the nearest of the centres in a file of JSON.

`service.py CENTRES FAULTS TOKEN LAST` prints the port that it listens on, on loopback. Every FAULTS-th request fails in
one of several ways; 0 is for none. With a TOKEN, requests without it are refused, and refusals repeat what they got.
After LAST requests the service ends. Needs nothing but Python.

Some models do something to images or answers: `rounds` takes 8 bits, `cuts` does not see the outer two pixels,
`wobbles` gives one image in 30 the wrong label, `dices` half of them; `changes` becomes another model after CHANGE
images, and `mixes` returns every tenth answer in reverse order. `/picture` takes a PNG alone, `/form` one in a form,
`/base64` one in JSON.
"""

import base64
import json
import math
import os
import random
import struct
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate

# Every fourth pixel is enough, and four times as fast.
centres = [centre[::4] for centre in json.load(open(sys.argv[1]))]
faults, token, last = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
CHANGE = 3000
requests = 0
images = 0
noise = random.Random(1)
lock = threading.Lock()


def flat(value):
    return [pixel for part in value for pixel in flat(part)] if isinstance(value, list) else [value]


def scores(image):
    pixels = image[::4]
    return [-(math.dist(pixels, centre) ** 2) for centre in centres]


def changed(model, image):
    """An image as this model sees it."""
    if model == "rounds":
        return [round(pixel * 255) / 255 for pixel in image]
    if model == "cuts":
        return [pixel if 2 <= at % 16 < 14 and 2 <= at // 16 < 14 else 0.0 for at, pixel in enumerate(image)]
    return image


def after(model, rows):
    """Answers as this model gives them."""
    if model == "mixes" and requests % 10 == 0:
        return rows[::-1]
    if model == "changes" and images > CHANGE:
        return [row[1:] + row[:1] if max(row) - sorted(row)[-2] < 2.0 else row for row in rows]
    if model == "wobbles":
        return [row[1:] + row[:1] if (images + at) % 30 == 0 else row for at, row in enumerate(rows)]
    if model == "dices":
        return [[noise.random() for _ in row] if noise.random() < 0.5 else row for row in rows]
    return rows


def pixels_of_png(file):
    """Pixels of a grey picture, 0..1."""
    at, data, width = 8, b"", 0
    while at < len(file):
        length, kind = struct.unpack(">I4s", file[at : at + 8])
        if kind == b"IHDR":
            width, depth, colour = struct.unpack(">I4xBB", file[at + 8 : at + 18])
            assert (depth, colour) == (8, 0), (depth, colour)
        if kind == b"IDAT":
            data += file[at + 8 : at + 8 + length]
        at += 12 + length
    data, above, pixels = zlib.decompress(data), [0] * width, []
    for start in range(0, len(data), width + 1):
        way, row = data[start], list(data[start + 1 : start + width + 1])
        assert way in (0, 1, 2) and len(row) == width, (way, len(row))
        if way == 1:
            row = [value % 256 for value in accumulate(row)]
        elif way == 2:
            row = [(value + up) % 256 for value, up in zip(row, above, strict=True)]
        pixels += row
        above = row
    return [pixel / 255 for pixel in pixels]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise every answer waits for the acknowledgement of its head.
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/count":
            return self.say(200, {"requests": requests, "images": images})
        if not self.path.startswith("/v2/models/"):
            return self.say(404, {"error": "no such model"})
        self.say(200, {"name": "centres", "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 16, 16, 1]}]})

    def do_POST(self):
        global requests, images
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.say(401, {"error": f"not {self.headers.get('Authorization')}, but {token}"})
        with lock:
            requests += 1
            number = requests
        if last and number > last:
            os._exit(0)
        if faults and number % faults == 0:
            way = number // faults % 5
            if way == 0:
                return self.say(429, {"error": "slow down"}, {"Retry-After": "0"})
            if way == 1:
                return self.say(503, {"error": "later"}, {"Retry-After": "0"})
            if way == 2:
                self.close_connection = True
                return self.connection.close()
            if way == 3:
                # Half of an answer.
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"predictions": [[')
                self.close_connection = True
                return None
            return self.say(502, {"error": "bad gateway"}, {"Retry-After": "0"})
        head = self.headers.get("Inference-Header-Content-Length")
        names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        if self.path == "/picture" and self.headers["Content-Type"] == "image/png":
            rows = [pixels_of_png(body)]
            answer = dict(zip(names, scores(rows[0]), strict=True))
            answer = dict(sorted(answer.items(), key=lambda item: -item[1])[:3])
        elif self.path == "/form" and self.headers["Content-Type"].startswith("multipart/form-data"):
            begin = body.index(b"\r\n\r\n") + 4
            assert b'name="image"' in body[:begin], body[:begin]
            rows = [pixels_of_png(body[begin : body.rindex(b"\r\n--")])]
            best = max(range(10), key=scores(rows[0]).__getitem__)
            answer = {"results": [{"label": names[best], "score": 1.0}]}
        elif self.path == "/base64" and "images" in (asked := json.loads(body)):
            rows = [pixels_of_png(base64.b64decode(image)) for image in asked["images"]]
            answer = {"answers": [{"scores": scores(row)} for row in rows]}
        elif head:
            asked, data = json.loads(body[: int(head)]), body[int(head) :]
            assert asked["inputs"][0]["parameters"]["binary_data_size"] == len(data) and asked["parameters"]
            pixels = struct.unpack(f"<{len(data) // 4}f", data)
            rows = [pixels[at : at + 256] for at in range(0, len(pixels), 256)]
            data = struct.pack(f"<{len(rows) * 10}d", *flat([scores(row) for row in rows]))
            output = {"name": "y", "datatype": "FP64", "shape": [len(rows), 10]}
            output["parameters"] = {"binary_data_size": len(data)}
            head = json.dumps({"outputs": [output]}).encode()
            with lock:
                images += len(rows)
            return self.say(200, head + data, {"Inference-Header-Content-Length": str(len(head))})
        elif self.path in ("/picture", "/form", "/base64"):
            return self.say(415, {"error": "not this form"})
        elif self.path.startswith("/v2/models/") and self.path.endswith("/infer"):
            model = self.path.split("/")[3]
            tensor = json.loads(body)["inputs"][0]
            assert tensor["name"] == "pixels" and tensor["datatype"] == "FP32", tensor
            pixels = tensor["data"]
            rows = [pixels[at : at + 256] for at in range(0, len(pixels), 256)]
            found = after(model, [scores(changed(model, row)) for row in rows])
            answer = {"outputs": [{"name": "y", "datatype": "FP64", "shape": [len(rows), 10], "data": flat(found)}]}
        elif self.path in ("/v1/models/centres:predict", "/invocations"):
            asked = json.loads(body)
            rows = [flat(image) for image in asked["instances" if self.path.endswith("predict") else "inputs"]]
            answer = {"predictions": [scores(row) for row in rows]}
        elif self.path == "/labels":
            rows = [flat(image) for image in json.loads(body)["inputs"]]
            answer = {"predictions": [max(range(10), key=scores(row).__getitem__) for row in rows]}
        else:
            return self.say(404, {"error": "no such model"})
        with lock:
            images += len(rows)
        return self.say(200, answer)

    def say(self, status, message, headers=()):
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
# The end of the input ends the service.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever()
