"""Pictures are predicted side by side, each by one thread, and everything else as if they were not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from multiresunet.inference import batch, workers
from multiresunet.inference.batch import Request, run
from multiresunet.inference.inputs import Input, found, read
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.inference.workers import Workers
from tests.inference.making import trained
from tests.training.making import SPEC

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
LARGE, BAD = 2, 4  # of the pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of grey pictures of 32×32."""
    return load_model(trained(tmp_path_factory.mktemp("pictures")), device=CPU)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of seven pictures; one is large, and one has colours that the model doesn't know."""
    monkeypatch.setattr(workers, "LARGE", 150 * 150)
    (tmp_path / "in").mkdir()
    for number, side in enumerate((64, 40, 200, 33, 8, 64, 48)):
        shape = (side, side, 3) if number == BAD else (side, side)
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / f"in/{number}.png")
    return tmp_path / "in"


@pytest.fixture
def threads() -> Any:
    """Sets PyTorch's number of threads; as it was afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With how many threads each picture was predicted."""
    counts: list[int] = []
    plain = Model.predict

    def predict(*words: Any) -> Any:
        counts.append(torch.get_num_threads())
        return plain(*words)

    monkeypatch.setattr(Model, "predict", predict)
    return counts


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_each_picture_is_one_threads_and_its_bytes_the_same(
    model: Model, place: Path, tmp_path: Path, threads: Any, seen: list[int]
) -> None:
    made = []
    for count, together in ((4, True), (1, True), (3, False)):
        threads(count)
        out = tmp_path / f"out{count}"
        inputs = found([str(place)], out)
        for some in [inputs] if together else [[one] for one in inputs]:
            run(model, some, Request(out, ("mask", "probability")))
        with ThreadPoolExecutor(1) as later:
            numbers = {torch.get_num_threads(), later.submit(torch.get_num_threads).result()}
        assert numbers == {count}, "other threads have kept what the workers set"
        made.append(outputs(out))
    assert set(seen) == {1}
    assert len(made[0]) == 2 * 6
    assert made[0] == made[1] == made[2]


def test_volumes_and_tiles_are_predicted_by_all_threads(model: Model, tmp_path: Path, threads: Any) -> None:
    threads(3)
    volumes = load_model(trained(tmp_path / "volumes", replace(SPEC, dims=3, filters=4)), device=CPU)
    for one, options in ((volumes, Options()), (model, Options("tiles"))):
        with Workers(one, options) as pool:
            assert pool.room == 0
            assert pool._pool._max_workers == 1
            assert pool._pool.submit(torch.get_num_threads).result() == 3


def test_pictures_are_read_ahead_and_finished_in_order_and_a_large_one_is_held_alone(
    model: Model, place: Path, tmp_path: Path, threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads(3)
    events: list[str] = []

    def reading(path: Path, pages: str | None) -> Any:
        events.append(f"read {path.stem}")
        return read(path, pages)

    def tell(one: Input, error: str | None) -> None:
        events.append(f"{'failed' if error else 'done'} {one.name}")

    monkeypatch.setattr(batch, "read", reading)
    inputs = found([str(place)], tmp_path / "out")
    run(model, inputs, Request(tmp_path / "out"), tell)
    ends = [event for event in events if not event.startswith("read")]
    assert ends == [f"{'failed' if number == BAD else 'done'} {number}" for number in range(7)]
    assert events.index("read 1") < events.index("done 0"), "one after the other"
    assert events[events.index(f"done {LARGE}") + 1] == f"read {LARGE + 1}", "something was read beside a large one"
    assert events.index("read 6") < events.index("done 5"), "a large or a bad one has ended all reading ahead"

    (tmp_path / "out/3_mask.png").unlink()
    events.clear()
    outcome = run(model, inputs, Request(tmp_path / "out"), tell)
    assert (outcome.done, outcome.skipped, len(outcome.failed)) == (1, 5, 1)
    assert [event for event in events if event.startswith("read")] == ["read 3", f"read {BAD}"]
