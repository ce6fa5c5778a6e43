"""The server's interface: it answers what `predict` writes, its errors are one line, and strangers are refused."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from fastapi.testclient import TestClient
from PIL import Image

from multiresunet.data import readers
from multiresunet.inference.batch import Request, run
from multiresunet.inference.inputs import found
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.serving import app as serving
from tests.inference.making import trained
from tests.training.making import SPEC

CPU = torch.device("cpu")
VOLUME = replace(SPEC, dims=3, filters=4, classes=3)
RNG = np.random.default_rng(0)
LIMIT = 2**20
HOME = "http://127.0.0.1:8000"
BINARY = {"Content-Type": "application/octet-stream"}
SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/api/predict",
    "query_string": b"name=a.png",
    "headers": [(b"host", b"127.0.0.1:8000")],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of grey pictures, with two folds."""
    return load_model(trained(tmp_path_factory.mktemp("pictures")), device=CPU)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of volumes with two classes."""
    return load_model(trained(tmp_path_factory.mktemp("volumes"), VOLUME, normalisation="zscore"), device=CPU)


def client_of(model: Model, **words: Any) -> TestClient:
    app = serving.application(model, Options(), LIMIT, **words)
    return TestClient(app, base_url=HOME, raise_server_exceptions=False)


@pytest.fixture
def client(model: Model) -> Iterator[TestClient]:
    with client_of(model) as opened:
        yield opened


def sent(client: TestClient, path: Path, query: str = "", **headers: str) -> Any:
    content, place = path.read_bytes(), f"/api/predict?name={path.name}{query}"
    return client.post(place, content=content, headers=BINARY | headers)


def picture(folder: Path) -> Path:
    path = folder / "a.png"
    Image.fromarray(RNG.integers(0, 256, (40, 56), dtype=np.uint8)).save(path)
    return path


def deep(folder: Path) -> Path:
    path = folder / "a.tif"
    tifffile.imwrite(
        path,
        RNG.integers(0, 65536, (40, 56), dtype=np.uint16),
        resolution=(2000.0, 2000.0),
        resolutionunit="CENTIMETER",
    )
    return path


def oblique(folder: Path) -> Path:
    path, affine = folder / "a.nii.gz", np.eye(4)
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    affine[:3, :3] = turn * [0.7, -1.5, 2.0]
    nibabel.save(nibabel.Nifti1Image(RNG.normal(size=(20, 14, 17)).astype(np.float32), affine), path)
    return path


def by_predict(model: Model, path: Path, save: tuple[str, ...], **words: Any) -> dict[str, bytes]:
    """Names and bytes of what `predict` writes."""
    out = path.parent / "out"
    assert run(model, found([str(path)], out), Request(out, save, overwrite=True, **words)).failed == []
    return {one.name: one.read_bytes() for one in out.glob("a_*")}


@pytest.mark.parametrize("make", [picture, deep, oblique])
def test_files_are_what_predict_writes(make: Any, model: Model, volumes: Model, tmp_path: Path) -> None:
    used, path, save = volumes if make is oblique else model, make(tmp_path), ("mask", "overlay", "probability")
    expected = by_predict(used, path, save)
    with client_of(used) as client:
        facts = sent(client, path).json()
        answers = [client.get(f"/api/predictions/{facts['id']}/files/{name}") for name in save]
        at_once = sent(client, path, "&save=mask")
    names = [answer.headers["Content-Disposition"].rpartition("''")[2] for answer in answers]
    assert dict(zip(names, (answer.content for answer in answers), strict=True)) == expected
    assert at_once.content == answers[0].content


def test_a_threshold_and_a_format_are_those_of_predict(model: Model, tmp_path: Path) -> None:
    path = picture(tmp_path)
    expected = by_predict(model, path, ("mask",), format="tif", options=Options(threshold=0.48))
    with client_of(model) as client:
        key = sent(client, path).json()["id"]
        answer = client.get(f"/api/predictions/{key}/files/mask?threshold=0.48&format=tif")
        assert {"a_mask.tif": answer.content} == expected
        facts = client.get(f"/api/predictions/{key}?threshold=0.48").json()
        assert sent(client, path, "&save=mask&threshold=0.48&format=tif").content == answer.content
    mask = tifffile.imread(tmp_path / "out/a_mask.tif")
    assert facts["foreground_share"] == pytest.approx((mask > 0).mean(), abs=1e-6)
    assert facts["threshold"] == 0.48


def test_planes_are_those_of_the_volume(volumes: Model, tmp_path: Path) -> None:
    path = oblique(tmp_path)
    decoded = readers.decode_image(path)
    predicted = volumes.predict(decoded.array, decoded.spacing)
    with client_of(volumes) as client:
        facts = sent(client, path).json()
        base = f"/api/predictions/{facts['id']}"
        assert [one["name"] for one in facts["planes"]] == ["sagittal", "coronal", "axial"]
        assert [one["count"] for one in facts["planes"]] == list(decoded.array.shape[1:])
        for axis in range(3):
            plane = np.flip(predicted.foreground.take(5, axis).T, (0, 1))
            got = client.get(f"{base}/probability?axis={axis}&index=5").content
            np.testing.assert_array_equal(np.frombuffer(got, "<f4").reshape(plane.shape), plane)
            shown = Image.open(io.BytesIO(client.get(f"{base}/image?axis={axis}&index=5").content))
            assert shown.size == plane.shape[::-1]
        classes = np.frombuffer(client.get(f"{base}/classes?axis=0&index=5").content, np.uint8)
        expected = 1 + np.flip(predicted.probabilities[1:].argmax(axis=0)[5].T, (0, 1))
        np.testing.assert_array_equal(classes, expected.ravel())
        answer = client.get(f"{base}/image?axis=0&index=99")
        assert (answer.status_code, answer.json()) == (
            422,
            {"error": "a.nii.gz: has no plane 99 across axis 0; see planes"},
        )


def test_errors_are_the_lines_of_predict(client: TestClient, model: Model, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "half.png").write_bytes(picture(tmp_path).read_bytes()[:500])
    Image.fromarray(RNG.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / "colours.png")
    for name in ("notes.txt", "empty.png", "half.png", "colours.png"):
        path = tmp_path / name
        [line] = run(model, found([str(path)], tmp_path / "out"), Request(tmp_path / "out")).failed
        answer = sent(client, path)
        assert (answer.status_code, answer.json()) == (422, {"error": line.replace(f"{tmp_path}/", "")})


def test_what_is_too_large_is_413_and_leaves_nothing(client: TestClient) -> None:
    answer = client.post("/api/predict?name=a.png", content=bytes(3 * LIMIT))
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("a.png: 3 MiB, where this server takes 1 MiB; use `multiresunet predict`")
    parts = (bytes(LIMIT) for _ in range(3))  # without a declared length
    assert client.post("/api/predict?name=a.png", content=parts).status_code == 413
    assert not list(client.app.state.predictions._folder.iterdir())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "place", "status", "says"),
    [
        ("POST", "/api/predict", 422, "name: field required"),
        ("POST", "/api/predict?name=..", 422, "name '..' can't name a file"),
        ("POST", "/api/predict?name=a.png&threshold=2", 422, "threshold: input should be less than or equal to 1"),
        ("GET", "/api/predictions/x", 404, "this prediction isn't kept any more"),
        ("GET", "/docs", 404, "Not Found"),
        ("GET", "/../app.py", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_one_line(client: TestClient, method: str, place: str, status: int, says: str) -> None:
    answer = client.request(method, place)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_a_name_is_no_path(client: TestClient, tmp_path: Path) -> None:
    content = picture(tmp_path).read_bytes()
    for name in ("../../up.png", "C:\\scans\\up.png", "/etc/up.png"):
        assert client.post("/api/predict", params={"name": name}, content=content).json()["name"] == "up.png"
    odd = client.post("/api/predict?save=mask", params={"name": "zwölf β.png", "save": "mask"}, content=content)
    assert odd.headers["Content-Disposition"] == "attachment; filename*=UTF-8''zw%C3%B6lf%20%CE%B2_mask.png"


def test_outputs_that_cannot_be_made_are_one_line(client: TestClient, tmp_path: Path) -> None:
    key = sent(client, picture(tmp_path)).json()["id"]
    for words, says in {
        "files/maks": "save: output 'maks' is unknown (did you mean mask?)",
        "files/mask?format=jpg": "format 'jpg' isn't known",
        "pixels": "there is no 'pixels' of a prediction",
    }.items():
        answer = client.get(f"/api/predictions/{key}/{words}")
        assert answer.status_code in (404, 422)
        assert answer.json()["error"].startswith(says)


def test_what_an_image_cannot_give_is_said_of_its_name_before_it_is_predicted(
    client: TestClient, volumes: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = oblique(tmp_path)
    with client_of(volumes) as other:
        key = sent(other, path).json()["id"]
        later = other.get(f"/api/predictions/{key}/files/mask?format=png")
        monkeypatch.setattr(Model, "predict", lambda *_: 1 / 0)
        answer = sent(other, path, "&save=mask&format=png")
    line = {"error": "a.nii.gz: a volume, which --format png can't hold; use tif or nii.gz"}
    assert (later.status_code, later.json()) == (answer.status_code, answer.json()) == (422, line)
    for query, says in {"save=maks": "save: output 'maks'", "save=mask&format=jpg": "format 'jpg' isn't"}.items():
        answer = sent(client, picture(tmp_path), f"&{query}")
        assert answer.status_code == 422 and answer.json()["error"].startswith(says)


def test_one_image_at_a_time(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, predict = threading.Event(), threading.Event(), Model.predict

    def slow(*words: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return predict(*words)

    monkeypatch.setattr(Model, "predict", slow)
    path = picture(tmp_path)
    with client_of(model) as client:
        first: list[Any] = []
        thread = threading.Thread(target=lambda: first.append(sent(client, path)))
        thread.start()
        assert begun.wait(60)
        second = sent(client, path)
        assert (second.status_code, second.headers["Retry-After"]) == (503, "1")
        assert client.get("/api/model").status_code == 200
        go_on.set()
        thread.join()
        assert [answer.status_code for answer in first] == [200]
        assert sent(client, path).status_code == 200


def asked(client: TestClient, *bodies: Any) -> list[int]:
    """Statuses of uploads that begin one after the other; their messages come from these coroutine functions."""

    async def one(receive: Any) -> int:
        statuses = []

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await client.app({**SCOPE, "app": client.app}, receive, send)
        return int(statuses[0])

    async def all_of_them() -> list[int]:
        tasks = []
        for receive in bodies:
            tasks.append(asyncio.create_task(one(receive)))
            await asyncio.sleep(0.1)
        return list(await asyncio.gather(*tasks))

    return asyncio.run(all_of_them())


async def gone() -> Any:
    return {"type": "http.disconnect"}


async def silent() -> Any:
    await asyncio.Event().wait()


def test_one_upload_at_a_time_and_none_that_stalls(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SILENCE", 0.5)
    assert asked(client, silent, silent) == [408, 503]
    assert asked(client, silent) == [408]
    assert not list(client.app.state.predictions._folder.iterdir())  # type: ignore[attr-defined]


def test_an_upload_that_is_cancelled_is_no_failure_of_the_server(client: TestClient, tmp_path: Path) -> None:
    assert asked(client, gone) == [499]  # an exception that nobody expects would come out here
    assert not list(client.app.state.predictions._folder.iterdir())  # type: ignore[attr-defined]
    assert sent(client, picture(tmp_path)).status_code == 200


def test_the_last_few_predictions_are_kept(client: TestClient, tmp_path: Path) -> None:
    path = picture(tmp_path)
    keys = [sent(client, path).json()["id"] for _ in range(3)]
    assert [client.get(f"/api/predictions/{key}").status_code for key in keys] == [404, 200, 200]
    assert len(list(client.app.state.predictions._folder.iterdir())) == 2  # type: ignore[attr-defined]


def test_strangers_are_refused(client: TestClient, tmp_path: Path) -> None:
    path = picture(tmp_path)
    assert client.get("/api/model", headers={"Host": "evil.example"}).status_code == 403
    assert sent(client, path, Origin="http://evil.example").status_code == 403
    assert sent(client, path, Origin="null").status_code == 403
    assert sent(client, path, Origin=HOME).status_code == 200
    for host in ("localhost:8000", "[::1]:8000", "127.0.0.2:8000"):
        assert client.get("/api/model", headers={"Host": host}).status_code == 200
    for host in ("127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.1", "[", ""):
        answer = client.get("/api/model", headers={"Host": host})
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (403, "nosniff")
    assert client.get("/api/model", headers={"Origin": "http://["}).status_code == 403


def test_a_token_is_needed_where_there_is_one(model: Model, tmp_path: Path) -> None:
    path = picture(tmp_path)
    with client_of(model, token="geheim", local=False) as client:
        assert client.get("/", headers={"Host": "lab.example"}).status_code == 200
        for word in ("", "Bearer wrong", "gehei", "Bearer "):
            answer = sent(client, path, **({"Authorization": word} if word else {}))
            assert answer.status_code == 401
            says = answer.json()["error"]
            assert says == "the token is missing or wrong; programs send the header Authorization: Bearer TOKEN"
        assert sent(client, path, Authorization="Bearer geheim").status_code == 200


def test_every_answer_forbids_other_places(client: TestClient) -> None:
    for place in ("/", "/page.js", "/page.css", "/style.css", "/api/model", "/nothing"):
        headers = client.get(place).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "http" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_out_of_memory_is_a_line(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Model, "maps", full)
    answer = sent(client, picture(tmp_path))
    assert answer.json() == {"error": "a.png: out of memory on cpu; use --how tiles, or --device cpu"}
    monkeypatch.setattr(Model, "maps", lambda *_: 1 / 0)
    assert sent(client, picture(tmp_path)).status_code == 500
    monkeypatch.undo()
    assert sent(client, picture(tmp_path)).status_code == 200
