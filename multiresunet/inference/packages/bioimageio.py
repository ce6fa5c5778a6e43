"""A BioImage.IO package (model specification 0.5.7): for Fiji (deepImageJ), ilastik, and the model zoo."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import torch
import yaml

from multiresunet.data.description import DataDescription
from multiresunet.data.preprocessing import full_scale
from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.inference.model import Model
from multiresunet.inference.packages import sample
from multiresunet.inference.packages.attribution import Attribution, attribution_of
from multiresunet.inference.packages.card import body_of, card_of, name_of
from multiresunet.inference.packages.graph import INPUT, OUTPUT, graph_of
from multiresunet.inference.packages.onnx import OPSET, write_onnx
from multiresunet.inference.packages.torchscript import write_torchscript
from multiresunet.registries import PACKAGES

FORMAT = "0.5.7"
SPACE = "zyx"
DESCRIPTION, DOCUMENTATION, COVER = "rdf.yaml", "README.md", "cover.png"
TORCHSCRIPT, ONNX, TEST_INPUT, TEST_OUTPUT = "weights.pt", "weights.onnx", "test_input.npy", "test_output.npy"
SMALLEST = 16  # of an image's sides; there is no largest
HIGHEST = {"uint8": 255, "uint16": 65535}


@PACKAGES.register("bioimageio", suffix=".bioimageio.zip")
def write_bioimageio(model: Model, path: Path) -> str:
    """Write weights as TorchScript and ONNX, normalisation as preprocessing, a test image and its result, and the card.

    Raises:
        UserError: if model.json doesn't say how values are scaled, or as the formats of the weights do.
    """
    attribution = attribution_of(model)
    with TemporaryDirectory() as place:
        folder = Path(place)
        said = [write_torchscript(model, folder / TORCHSCRIPT), write_onnx(model, folder / ONNX)]
        image = sample.image(model.description.data)
        with torch.no_grad():
            ready = sample.normalised(image, model.description.data, factor_of(model.description.data))
            probabilities = graph_of(model)(torch.from_numpy(ready)).numpy()
        np.save(folder / TEST_INPUT, image)
        np.save(folder / TEST_OUTPUT, probabilities)
        sample.cover(image, probabilities).save(folder / COVER)
        (folder / DOCUMENTATION).write_text(body_of(card_of(model, model.names)), encoding="utf-8")
        for name, text in attribution.texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        tree = described(model, attribution, folder)
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
        with ZipFile(path, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name, ZIP_DEFLATED if file.suffix != ".pt" else ZIP_STORED)
    return "; ".join(said)


def described(model: Model, attribution: Attribution, folder: Path) -> dict[str, Any]:
    """The content of rdf.yaml, of files that lie in a folder."""
    data, description = model.description.data, model.description
    sizes: list[dict[str, Any]] = [
        {"type": "space", "id": axis, "size": {"min": SMALLEST, "step": 1}} for axis in SPACE[-data.dims :]
    ]
    for axis, side in zip(sizes, data.spacing or (), strict=False):
        axis |= {"unit": "millimeter", "scale": side}
    same = [axis | {"size": {"tensor_id": INPUT, "axis_id": axis["id"]}} for axis in sizes]
    channels = [f"channel{number}" for number in range(data.channels)]
    found = ["background", *data.classes] if data.classes else ["foreground"]
    networks = f"{len(model.names)} networks' mean" if len(model.names) > 1 else "one network's"
    scale = "×".join(f"{side:.3g}" for side in data.scale)
    to = f" ({'×'.join(f'{side:g}' for side in data.spacing)} mm)" if data.spacing else ""
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": _allowed(f"{name_of(model)} segmentation"),
        "description": (
            f"Segments {data.modality} {'images' if data.dims == 2 else 'volumes'} of any size: {networks} probability "
            f"of {', '.join(found)}. A pixel that it sees spans {scale} pixels of the images that it learnt from{to}: "
            f"scale images so beforehand. Cut the foreground's probability at {description.threshold:g}."
        ),
        "authors": [{"name": name} for name in attribution.authors],
        "cite": _citations(data, attribution),
        "license": attribution.license,
        "documentation": DOCUMENTATION,
        "covers": [COVER],
        "attachments": [{"source": name} for name in attribution.texts],
        "tags": ["segmentation", data.modality, f"{data.dims}d", "multiresunet", "pytorch", "onnx"],
        "inputs": [
            {
                "id": INPUT,
                "description": "values as in the files, which are normalised by what follows",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": channels}, *sizes],
                "data": {"type": "float32"},
                "test_tensor": _file(folder / TEST_INPUT),
                "preprocessing": _preprocessing(data),
            }
        ],
        "outputs": [
            {
                "id": OUTPUT,
                "description": "each pixel's probability",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": found}, *same],
                "data": {"type": "float32", "range": [0, 1]},
                "test_tensor": _file(folder / TEST_OUTPUT),
            }
        ],
        "weights": {
            "torchscript": {**_file(folder / TORCHSCRIPT), "pytorch_version": torch.__version__.split("+")[0]},
            "onnx": {**_file(folder / ONNX), "opset_version": OPSET, "parent": "torchscript"},
        },
    }


def factor_of(data: DataDescription) -> float:
    """What values of files are multiplied by to lie in [0, 1].

    Files of before descriptions had the type don't say it; there it is told from the highest value.

    Raises:
        UserError: if there are several types, or no type that images have fits.
    """
    if data.normalisation == "zscore":
        return 1.0
    if data.types:
        scales = {full_scale(np.dtype(kind)) for kind in data.types}
        if len(scales) > 1:
            raise UserError(
                f"{data.name}: its images are of {' and '.join(data.types)}, each divided by what its type holds, and "
                "the package would scale them alike; export to onnx, and divide by what the type holds"
            )
        return 1 / scales.pop()
    highest = data.intensity["maximum"][1]
    if highest <= 1:
        return 1.0
    for top in HIGHEST.values():
        if highest <= top:
            return 1 / top
    raise UserError(
        f"{data.name}: values up to {highest:g} are more than 16 bits hold, and the package would scale them wrongly; "
        "export to onnx, and divide by what the type holds"
    )


def _preprocessing(data: DataDescription) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if data.normalisation == "zscore":
        return [*steps, {"id": "zero_mean_unit_variance", "kwargs": {"axes": list(SPACE[-data.dims :]), "eps": 1e-12}}]
    return [*steps, {"id": "scale_linear", "kwargs": {"gain": factor_of(data), "offset": 0.0}}]


def _citations(data: DataDescription, attribution: Attribution) -> list[dict[str, str]]:
    found = [{"text": attribution.paper, "doi": attribution.doi}]
    if data.card:
        found.append({"text": f"{data.card['citation']} Terms: {data.card['terms']}", "url": data.card["homepage"]})
    return found


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": sha256(path)}


def _allowed(name: str) -> str:
    """A name of the signs that the specification allows."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_+- ()") else "-" for sign in name)
