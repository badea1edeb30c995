"""The model that MLflow saves and serves, as code: MLflow runs this file."""

import mlflow
from digits import Digits


class Scores(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.digits = Digits(context.artifacts["onnx"])

    def predict(self, context, model_input, params=None):
        return self.digits.scores(model_input)


mlflow.models.set_model(Scores())
