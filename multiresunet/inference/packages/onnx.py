"""ONNX: for ONNX Runtime and what is built on it, in any language."""

from __future__ import annotations

from pathlib import Path

import torch

from multiresunet.errors import UserError
from multiresunet.inference.description import NAME
from multiresunet.inference.model import Model
from multiresunet.inference.packages.graph import AXES, INPUT, OUTPUT, Images, compare, example, graph_of, tracing
from multiresunet.registries import PACKAGES

OPSET, IR = 17, 8  # the latest that the runtimes of Fiji and ilastik take


@PACKAGES.register("onnx", suffix=".onnx")
def write_onnx(model: Model, path: Path) -> str:
    """Write a model's networks, with model.json among the metadata; say what comparing has shown.

    Raises:
        UserError: if the extra `export` isn't installed, or it doesn't do the same as PyTorch.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(f"exporting ONNX needs {error.name}; install it: pip install 'multiresunet[export]'") from None
    spec = model.predictor.spec
    free = {0: "n", **{2 + axis: AXES[axis - spec.dims] for axis in range(spec.dims)}}
    with tracing():
        torch.onnx.export(
            graph_of(model),
            (example(spec),),
            path,
            opset_version=OPSET,
            dynamo=False,  # needs nothing but onnx, and a tenth of the time
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
        )
    made = onnx.load(path)
    made.ir_version = min(made.ir_version, IR)
    onnx.helper.set_model_props(made, {NAME: model.described(model.names).model_dump_json()})
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)
    runtime = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: Images) -> Images:
        found: Images = runtime.run([OUTPUT], {INPUT: images})[0]
        return found

    return compare(run, model, "ONNX")
