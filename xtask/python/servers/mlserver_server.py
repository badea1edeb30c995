"""MLServer with one model, `digits`: `mlserver_server.py MODEL PORT GRPC_PORT`, on loopback.

It speaks the Open Inference Protocol.
"""

import asyncio
import sys

from digits import NAMES, SHAPE, Digits
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceResponse, MetadataTensor


class Runtime(MLModel):
    async def load(self):
        self.digits = Digits(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        scores = self.digits.scores(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            id=payload.id, model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)]
        )


async def main():
    settings = Settings(
        host="127.0.0.1",
        http_port=int(sys.argv[2]),
        # MLServer always has this one, too.
        grpc_port=int(sys.argv[3]),
        metrics_endpoint=None,
        parallel_workers=0,
        debug=False,
    )
    model = ModelSettings(
        name="digits",
        implementation=Runtime,
        parameters=ModelParameters(uri=sys.argv[1]),
        inputs=[MetadataTensor(name="pixels", datatype="FP32", shape=[-1, *SHAPE])],
        outputs=[MetadataTensor(name="scores", datatype="FP32", shape=[-1, len(NAMES)])],
    )
    await MLServer(settings).start([model])


asyncio.run(main())
