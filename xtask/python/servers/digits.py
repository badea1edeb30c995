"""The model that all servers here share: images to scores, by ONNX Runtime on one thread."""

import numpy as np
import onnxruntime

# Height, width, channels.
SHAPE = (16, 16, 1)
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Digits:
    """Scores of the model in a file."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def scores(self, images):
        """Images [n, 16, 16, 1] in 0..1 to scores [n, 10]."""
        images = np.ascontiguousarray(images, np.float32).reshape(-1, *SHAPE)
        return self.session.run(None, {self.input: images})[0]
