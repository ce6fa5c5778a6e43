"""Which stage gets a GPU, and how many run side by side."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from flows.resources import ON_GPU, Resources, devices


def test_gpus_go_to_the_stages_that_compute_with_networks(repository: Path) -> None:
    stages = yaml.safe_load((repository / "dvc.yaml").read_text())["stages"]
    assert {name for name, stage in stages.items() if "multiresunet/nets" in stage["deps"]} == ON_GPU


def test_each_gpu_has_one_stage_and_others_run_on_cores() -> None:
    resources = Resources(3, ["0", "1"])
    with ExitStack() as stack:
        names = ("train@a", "evaluate@c", "predict@b", "fetch@a", "report")
        assert [stack.enter_context(resources.take(name)) for name in names] == ["0", "", "1", "", ""]
    with resources.take("tune@b") as first, resources.take("train@a") as second:
        assert {first, second} == {"0", "1"}


@pytest.mark.parametrize(("gpus", "stage", "place"), [([], "fetch@b", ""), ([], "train@b", ""), (["7"], "tune@b", "7")])
def test_a_stage_waits_until_another_has_ended(gpus: list[str], stage: str, place: str) -> None:
    resources, got = Resources(1, gpus), threading.Event()

    def second() -> None:
        with resources.take(stage) as device:
            assert device == place
            got.set()

    with resources.take("train@a" if gpus else "fetch@a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not got.wait(0.2)
    assert got.wait(10)
    thread.join()


@pytest.mark.parametrize("gpus", [[], ["7"]])
def test_of_those_that_wait_the_highest_rank_is_next_then_the_first(gpus: list[str]) -> None:
    resources, order, threads = Resources(1, gpus), list[str](), list[threading.Thread]()

    def run(name: str, rank: int) -> None:
        with resources.take("train@a", rank):
            order.append(name)

    with resources.take("train@a"):
        for name, rank in (("low", 1), ("first", 3), ("second", 3), ("highest", 5)):
            threads.append(threading.Thread(target=run, args=(name, rank)))
            threads[-1].start()
            time.sleep(0.05)  # so that they come in this order
    for thread in threads:
        thread.join(10)
    assert order == ["highest", "first", "second", "low"]


@pytest.mark.parametrize(("visible", "found"), [("0,3", ["0", "3"]), ("", [])])
def test_only_visible_devices_are_used(monkeypatch: pytest.MonkeyPatch, visible: str, found: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices() == found


@pytest.mark.parametrize(("gpus", "count"), [([], 3), (["0"], 3), (["0", "1"], 4)])
def test_as_many_begin_at_once_as_there_is_room_for(gpus: list[str], count: int) -> None:
    due = {f"train@{number}": set[str]() for number in range(4)} | {"fetch@a": set(), "fetch@b": set()}
    resources = Resources(3, gpus)
    assert resources.side_by_side(due | {"report": {"train@0"}}) == count
    assert resources.side_by_side({}) == 0
    assert Resources(None, []).cores >= 1
