"""A prediction service for tests: the label is that of the nearest of the centres in a file of JSON.

`service.py CENTRES FAULTS TOKEN LAST` prints the port that it listens on, on loopback. Every FAULTS-th request fails in
one of several ways; 0 is for none. With a TOKEN, requests without it are refused, and refusals repeat what they got.
After LAST requests the service ends. Needs nothing but Python.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Every fourth pixel is enough, and four times as fast.
centres = [centre[::4] for centre in json.load(open(sys.argv[1]))]
faults, token, last = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
requests = 0
images = 0
lock = threading.Lock()


def flat(value):
    return [pixel for part in value for pixel in flat(part)] if isinstance(value, list) else [value]


def scores(image):
    pixels = image[::4]
    return [-sum((a - b) ** 2 for a, b in zip(pixels, centre, strict=True)) for centre in centres]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/count":
            return self.say(200, {"requests": requests, "images": images})
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
        asked = json.loads(body)
        if self.path == "/v2/models/centres/infer":
            tensor = asked["inputs"][0]
            assert tensor["name"] == "pixels" and tensor["datatype"] == "FP32", tensor
            pixels = tensor["data"]
            rows = [pixels[at : at + 256] for at in range(0, len(pixels), 256)]
            found = [scores(row) for row in rows]
            answer = {"outputs": [{"name": "y", "datatype": "FP64", "shape": [len(rows), 10], "data": flat(found)}]}
        elif self.path in ("/v1/models/centres:predict", "/invocations"):
            rows = [flat(image) for image in asked["instances" if self.path.endswith("predict") else "inputs"]]
            answer = {"predictions": [scores(row) for row in rows]}
        elif self.path == "/labels":
            rows = [flat(image) for image in asked["inputs"]]
            answer = {"predictions": [max(range(10), key=scores(row).__getitem__) for row in rows]}
        else:
            return self.say(404, {"error": "no such model"})
        with lock:
            images += len(rows)
        return self.say(200, answer)

    def say(self, status, message, headers=()):
        text = json.dumps(message).encode()
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
