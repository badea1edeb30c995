"""KServe's Python server with one model, `digits`: `kserve_server.py MODEL PORT`, on loopback.

It speaks the protocol of TensorFlow Serving and the Open Inference Protocol, this also with binary tensors.
"""

import sys
from unittest import mock

from digits import NAMES, SHAPE, Digits

model, port = sys.argv[1], int(sys.argv[2])
# KServe parses the arguments of the program when it is imported.
sys.argv[1:] = ["--enable_grpc=false", "--enable_latency_logging=false", "--configure_logging=false"]

import kserve  # noqa: E402
import uvicorn  # noqa: E402


class Server(kserve.Model):
    def __init__(self):
        super().__init__("digits")
        self.digits = Digits(model)
        self.ready = True

    def get_input_types(self):
        return [{"name": "pixels", "datatype": "FP32", "shape": [-1, *SHAPE]}]

    def get_output_types(self):
        return [{"name": "scores", "datatype": "FP32", "shape": [-1, len(NAMES)]}]

    async def predict(self, payload, headers=None, response_headers=None):
        if not isinstance(payload, kserve.InferRequest):
            return {"predictions": self.digits.scores(payload["instances"]).tolist()}
        scores = self.digits.scores(payload.inputs[0].as_numpy())
        output = kserve.InferOutput(name="scores", shape=list(scores.shape), datatype="FP32")
        output.set_data_from_numpy(scores, binary_data=payload.use_binary_outputs)
        return kserve.InferResponse(
            response_id=payload.id or "0",
            model_name=self.name,
            infer_outputs=[output],
            use_binary_outputs=payload.use_binary_outputs,
        )


# KServe listens on all addresses, and has no option for it.
config = uvicorn.Config


def on_loopback(app, **options):
    return config(app, **{**options, "host": "127.0.0.1", "access_log": False})


with mock.patch("kserve.protocol.rest.server.uvicorn.Config", on_loopback):
    kserve.ModelServer(http_port=port).start([Server()])
