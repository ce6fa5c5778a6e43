"""Many workers on a real PostgreSQL server: nothing is lost, nothing is done twice."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.tuning import workers
from multiresunet.tuning.study import Study
from stages.tune import tune
from tests.tuning import postgres
from tests.tuning.making import make_study, make_workplace, outputs

HEARTBEAT = 3  # seconds; one that misses three is given up, which on a busy machine must not happen to the living
FORK = multiprocessing.get_context("fork")  # torch is loaded already; new interpreters would load it again
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("untrained")]  # what is tested is who trains what
needs_postgres = pytest.mark.skipif(
    postgres.binaries() is None or importlib.util.find_spec("psycopg") is None,
    reason="needs a PostgreSQL server (pg_ctl, initdb) and psycopg on this machine",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


def start(
    study: Study, url: str, key: str, target: Callable[..., object] = workers.work, heartbeat: int = HEARTBEAT
) -> ForkProcess:
    process = FORK.Process(target=target, args=([study], url, key, heartbeat))
    process.start()
    return process


def stored(url: str, key: str) -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(url.replace("postgresql:", "postgresql+psycopg:"))
    return optuna.load_study(study_name=f"{key[:12]} discs tuned 0", storage=storage).trials


def running_trials(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as connection:
        try:
            row = connection.execute("SELECT count(*) FROM trials WHERE state = 'RUNNING'").fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    assert row is not None
    return int(row[0])


def work_for_ever(*words: object) -> None:
    """A worker that takes a trial and doesn't come to its end."""

    def hang(self: Study, trial: optuna.Trial) -> float:
        self.space.suggest(trial)
        while True:
            time.sleep(1)

    Study.objective = hang  # type: ignore[method-assign]  # in this process alone
    workers.work(*words)  # type: ignore[arg-type]


@needs_postgres
def test_one_worker_gives_the_same_bytes_as_none(
    disc_images: PreparedDataset, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("local", "database"):
        folder = make_workplace(tmp_path / name, disc_images, trials=3, scope="shared")
        monkeypatch.chdir(folder)
        if name == "database":
            monkeypatch.setenv("MULTIRESUNET_STUDIES", url)
        tune("discs", "tuned")
        made.append(outputs(folder))
    assert made[0] == made[1]
    tune("discs", "tuned", worker=True)  # nothing is left to do


@pytest.mark.slow
@needs_postgres
def test_four_workers_one_of_them_killed_finish_every_trial_once(
    disc_images: PreparedDataset, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Study.objective

    def taking_a_while(self: Study, trial: optuna.Trial) -> float:
        time.sleep(0.2)  # so that all of them take part
        return train(self, trial)

    monkeypatch.setattr(Study, "objective", taking_a_while)
    study = make_study(disc_images, trials=12)
    victim = start(study, url, "four workers", work_for_ever)
    while running_trials(url) == 0:
        time.sleep(0.1)
    others = [start(study, url, "four workers") for _ in range(3)]
    victim.kill()
    for process in (victim, *others):
        process.join()
    assert [process.exitcode for process in (victim, *others)] == [-signal.SIGKILL, 0, 0, 0]

    trials = stored(url, "four workers")
    numbers = [trial.user_attrs["number"] for trial in trials]
    complete = [trial.user_attrs["number"] for trial in trials if trial.state is TrialState.COMPLETE]
    assert sorted(complete) == list(range(12))
    # The victim took the first of the plan; whoever took it over was given the same numbers.
    first, second, *_ = (trial for trial in trials if trial.user_attrs["number"] == 0)
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert first.params == second.params
    assert numbers[:12] == list(range(12))

    ((_, found),) = workers.work([study], url, "four workers", HEARTBEAT)
    assert [study.row(trial)["trial"] for trial in found] == list(range(12))


@pytest.mark.slow
@needs_postgres
def test_a_trial_that_kills_its_workers_is_given_up(
    disc_images: PreparedDataset, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(disc_images, trials=2)
    real = Study.objective

    def deadly(self: Study, trial: optuna.Trial) -> float:
        if trial.user_attrs["number"] == 1:
            self.space.suggest(trial)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, trial)

    monkeypatch.setattr(Study, "objective", deadly)
    codes = []
    while not codes or codes[-1] != 0:
        process = start(study, url, "deadly", heartbeat=1)  # none is alive beside it
        process.join()
        codes.append(process.exitcode)
    assert codes == [-signal.SIGKILL] * workers.ATTEMPTS + [0]
    ((_, found),) = workers.work([study], url, "deadly", 1)
    assert [study.row(trial)["state"] for trial in found] == ["complete", "fail"]


@pytest.mark.slow
@needs_postgres
@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")  # so that there is none
def test_a_worker_that_died_before_its_first_heartbeat_leaves_its_trial_to_others(
    disc_images: PreparedDataset, url: str
) -> None:
    study = make_study(disc_images, trials=1)
    _, storage = workers._connect(url, HEARTBEAT)
    running = study.create(storage, "early ")
    workers._plan(study, running)
    running.ask()  # taken, and nothing more
    assert running_trials(url) == 1
    process = start(study, url, "early")
    try:
        process.join(100)
        assert process.exitcode == 0
    finally:
        process.kill()
    assert [trial.state for trial in stored(url, "early")] == [TrialState.FAIL, TrialState.COMPLETE]


@needs_postgres
def test_a_worker_that_was_given_up_too_soon_goes_on_with_another_trial(
    disc_images: PreparedDataset, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, taken = Study.objective, list[int]()

    def late(self: Study, trial: optuna.Trial) -> float:
        value = real(self, trial)
        if not taken:  # somebody else calls it stale just before its end
            trial.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        taken.append(trial.user_attrs["number"])
        return value

    monkeypatch.setattr(Study, "objective", late)
    ((_, found),) = workers.work([make_study(disc_images, trials=2)], url, "late", 1)
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 2
    assert sorted(taken) == [0, 0, 1]
    assert "was taken from this worker" in capsys.readouterr().out


@needs_postgres
def test_studies_out_of_time_end(disc_images: PreparedDataset, url: str) -> None:
    ((_, found),) = workers.work([make_study(disc_images, minutes=1e-9)], url, "hurried", 1)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///x.db", "sqlite:///x.db: must be a PostgreSQL database"),
        ("nonsense", "isn't a URL like postgresql://"),
        ("postgresql://user:secret@127.0.0.1:9/none", "no connection"),
    ],
)
def test_a_database_that_can_not_be_used_is_named(url: str, says: str, disc_images: PreparedDataset) -> None:
    if "@" in url:
        pytest.importorskip("psycopg")
    with pytest.raises(UserError) as raised:
        workers.work([make_study(disc_images)], url, "key", 1)
    assert says in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_worker_without_a_database_is_told_so(
    disc_images: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_workplace(tmp_path, disc_images))
    monkeypatch.delenv("MULTIRESUNET_STUDIES", raising=False)
    with pytest.raises(UserError, match="--worker needs MULTIRESUNET_STUDIES"):
        tune("discs", "tuned", worker=True)
