"""Predict many files: whole outputs or none, nothing done twice, and what is wrong with one file stops no other."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from multiresunet import __version__
from multiresunet.data.readers import Decoded
from multiresunet.errors import UserError
from multiresunet.files import write_json
from multiresunet.inference import large, records, writing
from multiresunet.inference.geometry import check_picture
from multiresunet.inference.inputs import Input, check_names, read
from multiresunet.inference.model import Model, Options
from multiresunet.inference.outputs import Predicted
from multiresunet.inference.prediction import Prediction, needs_several
from multiresunet.inference.streaming import stream_file, streamable
from multiresunet.inference.workers import Workers, memory_is_full
from multiresunet.memory import out_of_memory
from multiresunet.registries import OUTPUTS

PROVENANCE = "provenance.json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # which the next image would meet, too
T = TypeVar("T")
Finish = Callable[[], bool]  # writes an image's outputs; whether there was anything to do


@dataclass(frozen=True)
class Request:
    """What is wanted of each image.

    save: names of `OUTPUTS`.
    format: `same`, or one of `writing.FORMATS`.
    instances: how instances are told apart.
    overwrite: whether files that are there are made again.
    commit: the first that records the model; None if it isn't known.
    """

    out: Path
    save: tuple[str, ...] = ("mask",)
    format: str = writing.SAME
    instances: str = "components"
    overwrite: bool = False
    options: Options = field(default_factory=Options)
    commit: str | None = None


@dataclass
class Outcome:
    """How many images were predicted now, were there already, and failed (with a line for each).

    others: outputs in the folder that were made with other settings, and aren't in the table.
    """

    done: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def run(
    model: Model,
    inputs: Sequence[Input],
    request: Request,
    on_file: Callable[[Input, str | None], None] = lambda _input, _error: None,
) -> Outcome:
    """Predict files into `request.out`, with predictions.csv and provenance.json.

    Args:
        model: the model.
        inputs: the files.
        request: what to save, and where.
        on_file: told after each file: which, and what was wrong with it.

    Raises:
        UserError: if the folder holds predictions that were made with other settings, or files that aren't ours; or
            if the disagreement of a single network is to be saved.
    """
    if "uncertainty" in request.save and len(model.names) == 1:
        needs_several(None)
    settings = settings_of(model, request)
    _claim(request, settings)
    write_provenance(model, request, settings)
    if request.overwrite:
        records.tabulate(request.out, settings)  # without what has other settings, even if the work is killed
    outcome = Outcome()
    waiting: deque[tuple[Input, Finish | str]] = deque()  # in order, whichever is predicted first

    def finish() -> None:
        one, begun = waiting.popleft()
        done = begun if isinstance(begun, str) else _caught(model, one, begun)
        error = done if isinstance(done, str) else None
        if error:
            outcome.failed.append(error)
        elif done:
            outcome.done += 1
        else:
            outcome.skipped += 1
        on_file(one, error)

    try:
        with Workers(model, request.options) as workers:
            for one in inputs:
                begun = _caught(model, one, partial(_begin, model, one, request, settings, workers))
                room, last = (0, begun) if isinstance(begun, str) else begun
                waiting.append((one, last))
                while len(waiting) > room:
                    finish()
            while waiting:
                finish()
    finally:
        outcome.others = records.tabulate(request.out, settings)  # what is finished, even if the disk is full now
    return outcome


def _caught(model: Model, one: Input, work: Callable[[], T]) -> T | str:
    """What work on an image gives, or the line that says what is wrong with the image; a full disk raises."""
    try:
        return work()
    except UserError as problem:
        return str(problem)
    except Exception as problem:  # damaged bytes make decoders, and odd headers make writers, raise what comes to hand
        if out_of_memory(problem):
            return memory_is_full(model, one.path)
        if isinstance(problem, OSError) and problem.errno in FULL:
            raise
        what = f"{type(problem).__name__}: {str(problem)[:300]}".rstrip(": ")
        return str(UserError(f"{one.path}: can't be predicted ({what}); replace it or take it out"))


def settings_of(model: Model, request: Request) -> dict[str, Any]:
    """All that the bytes of an output depend on, beside its image."""
    description, options = model.description, request.options
    return {
        "weights": model.weights,
        "threshold": description.threshold if options.threshold is None else options.threshold,
        "how": options.how,
        "flip": options.flip,
        "save": sorted(request.save),
        "format": request.format,
        "instances": request.instances,
        **({"window": large.widest(model, options)} if options.how == "tiles" else {}),
    }


def _claim(request: Request, settings: dict[str, Any]) -> None:
    """Refuse a folder of other settings; one of before windows were kept stays as it is, without them.

    Raises:
        UserError: naming the settings, or what else is wrong with the folder.
    """
    path = request.out / PROVENANCE
    if path.exists() and not request.overwrite:
        before = records.loaded(path).get("settings")
        if not isinstance(before, dict):
            raise UserError(f"{path}: isn't what `predict` writes; choose another --out, or --overwrite")
        if "window" not in before:
            settings.pop("window", None)
        other = [key for key, value in settings.items() if before.get(key) != value]
        other = ["window (see --memory)" if key == "window" else key for key in other]
        if other:
            raise UserError(
                f"{request.out}: holds predictions with other {', '.join(other)}; choose another --out, or --overwrite"
            )
    elif request.out.is_dir() and any(request.out.iterdir()) and not path.exists() and not request.overwrite:
        raise UserError(f"{request.out}: holds other files; choose a new folder for --out, or --overwrite")


def write_provenance(model: Model, request: Request, settings: dict[str, Any]) -> None:
    """Say what the folder's predictions come from."""
    write_json(
        request.out / PROVENANCE,
        {
            "model": model.description.model_dump(mode="json"),
            "commit": model.description.commit or request.commit,
            "settings": settings,
            "device": str(model.predictor.device),
            "version": __version__,
        },
    )


def _begin(
    model: Model, one: Input, request: Request, settings: dict[str, Any], workers: Workers
) -> tuple[int, Finish]:
    """Read an image and have it predicted.

    Returns:
        How many images may wait beside it, and what finishes it.
    """
    check_names(one, [f".{records.place_of(one, request.out).name}.draft"])
    if not request.overwrite and records.finished(one, request.out, settings):
        return workers.room, lambda: False
    if not request.overwrite:
        records.check_source(one, request.out)
    since = time.perf_counter()
    if streamable(one.path, model, request):
        check_names(
            one, [writing.draft_of(writing.place_of(one, output, "tif", request.out)).name for output in request.save]
        )
        return 0, lambda: _record(one, request, settings, since, *stream_file(model, one, request))
    decoded = read(one.path, model.description.data.pages)
    check_picture(decoded.array, model.description.data, str(one.path))
    check_names(one, [writing.draft_of(target).name for target in places_of(one, decoded, request).values()])
    coming = workers.submit(decoded, str(one.path))
    reading = time.perf_counter() - since

    def finish() -> bool:
        prediction, predicting = coming.result()
        since = time.perf_counter() - reading - predicting  # without the time of waiting
        row, files = measured(prediction, request.instances), write_outputs(one, decoded, prediction, request)
        return _record(one, request, settings, since, row, files)

    return workers.room_beside(decoded), finish


def _record(
    one: Input,
    request: Request,
    settings: dict[str, Any],
    since: float,
    row: dict[str, Any],
    files: list[tuple[Path, Path]],
) -> bool:
    """Put an image's outputs in their places, and write down that it is finished."""
    for draft, target in files:
        draft.replace(target)
    row = {"file": str(one.path.as_posix()), **row, "seconds": round(time.perf_counter() - since, 3)}
    records.write(one, request.out, settings, row, [target for _, target in files])
    return True


def write_outputs(one: Input, decoded: Decoded, prediction: Prediction, request: Request) -> list[tuple[Path, Path]]:
    """Write all outputs beside their places; pairs of draft and place."""
    predicted = Predicted(prediction, decoded.array, request.instances)
    files = []
    with writing.without_drafts() as drafts:
        for output, target in places_of(one, decoded, request).items():
            drafts.append(writing.draft_of(target))
            target.parent.mkdir(parents=True, exist_ok=True)
            writing.write(drafts[-1], OUTPUTS[output](predicted), one.path, decoded)
            files.append((drafts[-1], target))
    return files


def places_of(one: Input, decoded: Decoded, request: Request) -> dict[str, Path]:
    """Where each output of an image is written.

    Raises:
        UserError: if a format can't hold what the image is.
    """
    own = {output: OUTPUTS.entries[output].facts.get("suffix") for output in request.save}
    suffixes = {name: suffix or writing.suffix_for(request.format, decoded, one.path) for name, suffix in own.items()}
    return {name: writing.place_of(one, name, suffix, request.out) for name, suffix in suffixes.items()}


def measured(prediction: Prediction, instances: str) -> dict[str, Any]:
    """What predictions.csv says of a prediction."""
    inside = prediction.mask > 0
    spread = prediction.spread
    return measured_of(
        share=float(inside.mean()),
        pixels=int(inside.sum()),
        components=int(prediction.labels(instances).max(initial=0)),
        disagreement=None if spread is None else float(spread.mean()),
        prediction=prediction,
    )


def measured_of(
    share: float, pixels: int, components: int | None, disagreement: float | None, prediction: Prediction
) -> dict[str, Any]:
    """A row's figures; area in µm² of a picture and in mm³ of a volume, where the spacing is known."""
    unit = {2: "µm²", 3: "mm³"}
    size = prediction.spacing
    area = None if size is None else pixels * float(np.prod(size)) * (1e6 if len(size) == 2 else 1.0)
    return {
        "foreground_share": round(share, 6),
        "components": components,
        "area": None if area is None else round(area, records.decimals(area)),
        "area_unit": "" if size is None else unit[len(size)],
        "disagreement": None if disagreement is None else round(disagreement, 6),
        "warnings": "; ".join(prediction.warnings),
    }
