"""A server of files, by LitServe: `png_server.py MODEL PORT`, on loopback.

`POST /predict` takes one picture as the field `file` of a form (PNG of 8 bits), and answers with all labels, the best
first: `[{"label": "seven", "score": 0.98}, ...]`.
"""

import io
import sys

import litserve
import numpy as np
from digits import NAMES, Digits
from PIL import Image


class Pictures(litserve.LitAPI):
    def setup(self, device):
        self.digits = Digits(sys.argv[1])

    def decode_request(self, request):
        picture = Image.open(io.BytesIO(request["file"].file.read())).convert("L")
        return np.asarray(picture, np.float32)[None, :, :, None] / 255

    def predict(self, x):
        scores = np.exp(self.digits.scores(x)[0].astype(np.float64))
        return scores / scores.sum()

    def encode_response(self, output):
        best = np.argsort(-output, kind="stable")
        return [{"label": NAMES[label], "score": float(output[label])} for label in best]


if __name__ == "__main__":
    server = litserve.LitServer(Pictures(), accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
