"""Saves a model in MLflow's form: `mlflow_save.py MODEL FOLDER [plain]`. `mlflow models serve` serves it.

A `plain` model states no types, so that it gets what JSON has, and MLflow has less to check.
"""

import sys
from pathlib import Path

import mlflow
import numpy as np
from digits import NAMES, SHAPE
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

here = Path(__file__).parent
typed = ModelSignature(
    Schema([TensorSpec(np.dtype(np.float32), (-1, *SHAPE))]),
    Schema([TensorSpec(np.dtype(np.float32), (-1, len(NAMES)))]),
)
mlflow.pyfunc.save_model(
    sys.argv[2],
    python_model=str(here / "mlflow_model.py"),
    code_paths=[str(here / "digits.py")],
    artifacts={"onnx": sys.argv[1]},
    signature=None if sys.argv[3:] == ["plain"] else typed,
    # The environment that is there serves it.
    pip_requirements=[],
)
