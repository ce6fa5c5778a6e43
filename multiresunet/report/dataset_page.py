"""reports/data/<name>.html: what is wrong with a data set, on which samples, and what to do about it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from multiresunet.config import Dataset
from multiresunet.data import manifest
from multiresunet.data.dataset import TEXTS, hatched
from multiresunet.data.loading import foreground, ignored, load_image, load_mask
from multiresunet.data.manifest import JOIN, Sample
from multiresunet.data.readers import Array
from multiresunet.data.resizing import MUCH, REMEDY, spacings
from multiresunet.errors import UserError
from multiresunet.files import write_text
from multiresunet.paths import DATASET_PAGES, PREPARED, RAW, VALIDATED

MEASURES = {
    "mean": ("brightness", ""),
    "deviation": ("contrast", ""),
    "pixels": ("size", " pixels"),
    "foreground_share": ("marked area", " % of the pixels"),
}
"""What the facts whose strays are judged are called, and their unit."""
EXAMPLES = 8  # pictures of samples that nothing is wrong with
FINEST = 2_048  # pixels of the longer side that are looked at
THUMBNAIL = 180  # pixels of a thumbnail
SHOWN = 12  # thumbnails of one finding
OUTLINE = (0, 190, 255)
TINT = 0.35  # how much of the outline's colour foreground gets, so that an inverted mask is seen at a glance


def render(name: str, dataset: Dataset) -> Path:
    """Render the page from data/raw, data/validated and, once it is there, data/prepared.

    Raises:
        UserError: if the data set has no facts yet.
    """
    if not (VALIDATED / name / "validation.json").is_file():
        raise UserError(f"{VALIDATED / name}: no facts yet; run `dvc repro` or `multiresunet data check {name}`")
    findings = json.loads((VALIDATED / name / "validation.json").read_text(encoding="utf-8"))
    facts = pd.read_csv(VALIDATED / name / "facts.csv", dtype=str, keep_default_na=False).set_index("sample")
    samples = {sample.sample: sample for sample in manifest.read(RAW / name)}
    failed = [one for one in findings if not one["success"]]
    folds = PREPARED / name / "folds.csv"
    environment = Environment(loader=PackageLoader("multiresunet.report"), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("dataset.html.j2").render(
        name=name,
        modality=dataset.modality,
        samples=len(samples),
        passed=len(findings) - len(failed),
        stops=[_shown(name, one, facts, samples, dataset) for one in failed if one["severity"] != "warning"],
        warnings=[_shown(name, one, facts, samples, dataset) for one in failed if one["severity"] == "warning"],
        notes=json.loads((VALIDATED / name / "notes.json").read_text(encoding="utf-8")),
        folds=pd.read_csv(folds).to_dict("records") if folds.is_file() else [],
        by_group=dataset.groups,
        resized=_resized(name),
        examples=_examples(name, samples, dataset),
        ignored=dataset.mask.ignore,
    )
    write_text(DATASET_PAGES / f"{name}.html", text)
    return DATASET_PAGES / f"{name}.html"


def picture(folder: Path, sample: Sample, dataset: Dataset, side: int = THUMBNAIL) -> Image.Image | None:
    """The image (a volume's middle slice), `side` pixels at most, with its foreground tinted and outlined.

    What is to be ignored is hatched. None if the image can't be read.
    """
    try:
        read = load_image(folder, sample.image, dataset)
        image = _plane(read.array)
    except UserError:
        return None
    step = max(1, max(image.shape[1:]) // FINEST)
    colour = Image.fromarray(_grey_or_colour(image[:, ::step, ::step]))
    colour.thumbnail((side, side))
    try:
        mask = _plane(load_mask(folder, sample.mask, dataset.mask, read).array[None])[0][::step, ::step]
    except UserError:
        return colour
    # Seen at the thumbnail's size even where the mask has another: a wrong size shows as a shift.
    small, unknown = (
        np.asarray(
            Image.fromarray(of(mask, dataset.mask).astype(np.uint8)).resize(colour.size, Image.Resampling.NEAREST)
        )
        > 0
        for of in (foreground, ignored)
    )
    pixels = np.moveaxis(hatched(np.moveaxis(np.asarray(colour), -1, 0), unknown), 0, -1)
    pixels[small] = np.round((1 - TINT) * pixels[small] + TINT * np.array(OUTLINE)).astype(np.uint8)
    pixels[small & ~_shrunk(small)] = OUTLINE
    return Image.fromarray(np.ascontiguousarray(pixels))


def embedded(shown: Image.Image) -> str:
    """A picture as a data URL."""
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _examples(name: str, samples: dict[str, Sample], dataset: Dataset) -> list[dict[str, str | None]]:
    """Evenly spaced samples, so that a person can see that masks lie where they should."""
    some = list(samples.values())[:: -(-len(samples) // EXAMPLES) or 1]
    drawn = {one.sample: picture(RAW / name, one, dataset) for one in some}
    return [{"sample": sample, "picture": embedded(shown) if shown else None} for sample, shown in drawn.items()]


def _resized(name: str) -> dict[str, Any] | None:
    """What is left of the masks at the size that networks see; None if the data set isn't prepared."""
    path = PREPARED / name / "samples.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False)
    if "foreground_kept" not in table:
        return None
    sizes = table["prepared_size"].unique()
    worst = table.sort_values(["foreground_kept", "components_kept", "sample"])
    return {
        "size": sizes[0] if len(sizes) == 1 else f"{sizes[0]} and others",
        "foreground": table["foreground_kept"].mean(),
        "components": table["components_kept"].mean(),
        "worst": worst[(worst["foreground_kept"] < 1 - MUCH) | (worst["components_kept"] < 1 - MUCH)]
        .head(SHOWN)[["sample", "original_size", "foreground_kept", "components_kept"]]
        .to_dict("records"),
        "remedy": REMEDY,
        "spacings": spacings(table) if "spacing" in table else None,
    }


def _shown(
    name: str, finding: dict[str, Any], facts: pd.DataFrame, samples: dict[str, Sample], dataset: Dataset
) -> dict[str, Any]:
    shown = []
    for sample in finding["samples"][:SHOWN]:
        thumbnail = picture(RAW / name, samples[sample], dataset) if sample in samples else None
        text = _words(finding["column"], facts.loc[sample], facts) if sample in facts.index else ""
        shown.append({"sample": sample, "picture": thumbnail and embedded(thumbnail), "measured": text})
    return {**finding, "shown": shown, "more": len(finding["samples"]) - len(shown)}


def _words(columns: str, row: pd.Series[str], facts: pd.DataFrame) -> str:
    """What was measured on one sample, in words, and what is usual."""
    words = []
    for column in columns.split("/"):
        value = str(row.get(column, ""))
        if column.endswith("_strays"):
            measure = column.removesuffix("_strays")
            usual = float(pd.to_numeric(facts[measure], errors="coerce").median())
            share = 100 if measure.endswith("_share") else 1
            name, unit = MEASURES[measure]
            words.append(f"{name} {share * float(row[measure]):.4g}{unit}, usually about {share * usual:.4g}{unit}")
        elif column.endswith("_share"):
            words.append(f"{100 * float(value):.2g} % of the pixels")
        elif column == "near_duplicates":
            words.append(f"the same scene as {value.replace(JOIN, ', ')}")
        elif column.endswith("_turn"):
            words.append(f"{column.removesuffix('_turn')}: {f'orientation {value}' if value else 'as it is'}")
        elif not column.endswith("sha256"):
            words.append(value)
    return " / ".join(words)


def _plane(array: Array) -> Array:
    """C×H×W of C×H×W, or the middle slice of C×D×H×W, the way round that volumes are looked at."""
    return array if array.ndim == 3 else array[..., array.shape[-1] // 2]


def _grey_or_colour(image: Array) -> NDArray[np.uint8]:
    """H×W×3 from C×H×W, stretched from the 1st to the 99th percentile unless it is 8-bit already."""
    rgb = np.moveaxis(image[:3] if len(image) >= 3 and image.dtype == np.uint8 else image[[0, 0, 0]], 0, -1)
    if rgb.dtype == np.uint8:
        return np.ascontiguousarray(rgb)
    values = np.nan_to_num(rgb.astype(np.float32), posinf=0, neginf=0)
    low, high = np.percentile(values, [1, 99])
    return np.asarray(np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255, dtype=np.uint8)


def _shrunk(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.pad(mask, 1, mode="edge")
    return np.asarray(inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:])
