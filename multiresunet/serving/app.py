"""The server behind `multiresunet serve`: one page, and an interface that the page and other programs use.

GET /api/model: what is served. POST /api/predict?name=NAME, the file as body: what was predicted, with an `id`; or,
with `save=OUTPUT`, the file that `multiresunet predict` would write. /api/predictions/ID, …/image, …/probability,
…/classes, …/files/OUTPUT: of the last few predictions. An error is {"error": "one line"}: 413 too large, 422 no image
that the model takes, 503 another image is being sent or predicted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from multiresunet.errors import UserError
from multiresunet.inference import writing
from multiresunet.inference.model import Model, Options
from multiresunet.inference.outputs import OUTLINES
from multiresunet.registries import OUTPUTS
from multiresunet.serving.guard import Guard, error
from multiresunet.serving.predictions import BusyError, Kept, Predictions, Wanted

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": PAGE / "index.html",
    "/style.css": PAGE.parents[1] / "report/templates/page.css",  # the report's style, to which the page's own adds
    "/page.css": PAGE / "page.css",
    "/page.js": PAGE / "page.js",
}
SILENCE = 60.0  # seconds after which an upload that stalls is given up, so that others get their turn
DISCARDED = 2**30  # bytes over the limit that are read, since a browser shows no answer before it has sent all

Threshold = Annotated[float | None, Query(ge=0, le=1)]


def application(model: Model, options: Options, limit: int, token: str | None = None, local: bool = True) -> FastAPI:
    """The server's application.

    Args:
        model: to predict with.
        options: how to predict.
        limit: bytes that a file may have.
        token: that requests must carry; None: none.
        local: whether it is for this machine's browser only.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with TemporaryDirectory(prefix="multiresunet-") as folder:
            app.state.predictions = Predictions(model, options, Path(folder))
            yield

    app = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.limit = limit
    app.add_middleware(Guard, token=token, local=local)
    app.add_exception_handler(UserError, lambda _, problem: error(422, str(problem)))
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(ClientDisconnect, lambda *_: error(499, "the upload was cancelled"))
    app.add_exception_handler(RequestValidationError, _wrong_word)
    app.add_exception_handler(HTTPException, lambda _, problem: error(problem.status_code, problem.detail))
    app.add_exception_handler(Exception, lambda *_: error(500, "the server failed; its terminal says where"))
    for path, file in FILES.items():
        app.add_api_route(path, _sender(file), response_model=None)
    app.add_api_route("/api/model", described)
    app.add_api_route("/api/predict", predict, methods=["POST"], response_model=None)
    base = "/api/predictions/{key}"
    app.add_api_route(base, facts)
    app.add_api_route(f"{base}/files/{{output}}", output_of)
    app.add_api_route(f"{base}/{{what}}", plane)
    return app


def described(request: Request) -> dict[str, Any]:
    """What is served, and what to expect of it."""
    model: Model = request.app.state.predictions.model
    description, data = model.description, model.description.data
    several = len(model.names) > 1
    return {
        "model": description.model,
        "dataset": data.name,
        "modality": data.modality,
        "dims": data.dims,
        "channels": data.channels,
        "classes": model.classes,
        "threshold": description.threshold,
        "networks": list(model.names),
        "images": data.images,
        "jaccard": description.jaccard,
        "jaccard_sd": description.jaccard_sd,
        "card": data.card,
        "weights": model.weights,
        "outputs": [name for name in OUTPUTS if name != "uncertainty" or several],
        "formats": writing.FORMATS,
        "colours": OUTLINES,
        "limit": request.app.state.limit,
    }


async def predict(
    request: Request, name: str, save: str | None = None, threshold: Threshold = None, format: str = writing.SAME
) -> Response | dict[str, Any]:
    """Predict the file in the body; see the module."""
    predictions: Predictions = request.app.state.predictions
    wanted = Wanted(threshold, format)
    if save is not None:
        predictions.check(save, wanted)
    with predictions.turn():  # before the file is sent, so that only one at a time takes room
        path = predictions.place(plain(name))
        try:
            await _receive(request, path)
            kept = await run_in_threadpool(predictions.predict, path, save, wanted)
        except BaseException:
            predictions.forget(path)
            raise
    if save is not None:
        return await run_in_threadpool(_output, predictions, kept, save, wanted)
    return await run_in_threadpool(kept.facts, threshold)


def plain(name: str) -> str:
    """The name of a file without folders, which no path can be made of.

    Raises:
        UserError: if nothing is left of it.
    """
    last = "".join(sign for sign in name.replace("\\", "/").rpartition("/")[2] if sign.isprintable())
    if last.strip(". ") == "" or len(last.encode()) > 200:
        raise UserError(f"name {name[:50]!r} can't name a file; ask for /api/predict?name=image.png")
    return last


async def _receive(request: Request, path: Path) -> None:
    """Write the body into a file.

    Raises:
        HTTPException: 413, if it is larger than the limit; 408, if it stalls.
    """
    limit: int = request.app.state.limit
    declared, size = int(request.headers.get("content-length", 0)), 0
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(SILENCE) as silence:
            with path.open("wb") as file:
                if declared <= limit + DISCARDED:
                    async for part in request.stream():
                        silence.reschedule(now() + SILENCE)
                        size += len(part)
                        if max(size, declared) <= limit:
                            file.write(part)
                        elif size > limit + DISCARDED:
                            break
    except TimeoutError:
        raise HTTPException(408, f"{path.name}: nothing has come for {SILENCE:.0f} seconds; send it again") from None
    if (most := max(size, declared)) > limit:
        raise HTTPException(
            413,
            f"{path.name}: {most / 2**20:.0f} MiB, where this server takes {limit / 2**20:.0f} MiB; use `multiresunet "
            "predict`, or start it with a higher --limit",
        )


def facts(request: Request, key: str, threshold: Threshold = None) -> dict[str, Any]:
    """The figures of a prediction, at another threshold if one is given."""
    return _kept(request, key).facts(threshold)


def plane(request: Request, key: str, what: str, axis: int = 0, index: int = 0) -> Response:
    """`image` as PNG, `probability` as float32, or `classes` as bytes: of a picture, or of a volume's plane."""
    kept = _kept(request, key)
    if what == "image":
        return Response(kept.picture(axis, index), media_type="image/png")
    if what not in ("probability", "classes"):
        raise HTTPException(404, f"there is no {what!r} of a prediction; ask for image, probability or classes")
    read = kept.probability if what == "probability" else kept.classes
    return Response(read(axis, index), media_type="application/octet-stream")


def output_of(
    request: Request, key: str, output: str, threshold: Threshold = None, format: str = writing.SAME
) -> Response:
    """An output of a prediction, as `multiresunet predict` writes it."""
    return _output(request.app.state.predictions, _kept(request, key), output, Wanted(threshold, format))


def _output(predictions: Predictions, kept: Kept, output: str, wanted: Wanted) -> Response:
    name, content = predictions.file_of(kept, output, wanted)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _kept(request: Request, key: str) -> Kept:
    predictions: Predictions = request.app.state.predictions
    try:
        return predictions.of(key)
    except KeyError:
        raise HTTPException(404, "this prediction isn't kept any more; choose the image again") from None


def _busy(_request: Request, _problem: Exception) -> JSONResponse:
    answer = error(503, "another image is being sent or predicted; try again when it is done")
    answer.headers["Retry-After"] = "1"
    return answer


def _wrong_word(_request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, RequestValidationError)
    first = problem.errors()[0]
    return error(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg'][0].lower()}{first['msg'][1:]}")


def _sender(path: Path) -> Any:
    def send() -> FileResponse:
        return FileResponse(path)

    return send
