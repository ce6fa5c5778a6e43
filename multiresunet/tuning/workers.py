"""Many workers on the same studies, on any machines, through a PostgreSQL database.

Heartbeats are Optuna's. Its `RetryHeartbeatStaleTrialCallback` was tried for retries: a trial fails in one transaction
and is queued again in another, and where a worker died between the two the trial was lost and the study never ended.
So here each worker, under a lock, queues what nobody has finished.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from multiresunet.errors import UserError
from multiresunet.tuning.space import Numbers
from multiresunet.tuning.study import Study
from multiresunet.tuning.trials import FINISHED, NUMBER, number_of, seconds_of

ATTEMPTS = 3  # a trial whose worker died so often is given up: most likely it is what kills them
LOCK = 0x4D525532  # any number that no other program uses for its advisory locks
GRACE = 3  # heartbeats that a worker may miss before its trial is taken from it

Found = list[tuple[Study, list[FrozenTrial]]]


def work(
    studies: Sequence[Study],
    url: str,
    key: str,
    heartbeat: int,
    on_trial: Callable[[Study, Numbers], None] = lambda *_: None,
) -> Found:
    """Take part in the studies until every trial of each is finished; the trials of each, in the plan's order.

    Trials are planned, taken and given to someone else under a lock of the database, and trained without it. A trial
    whose worker has missed three heartbeats fails, and is planned again with the same numbers.

    Args:
        studies: the same for all workers.
        url: of the database.
        key: hash of all inputs; studies of other inputs are other studies.
        heartbeat: seconds between two heartbeats.
        on_trial: called after each trial that this worker has finished.

    Raises:
        UserError: if the database can't be reached, or isn't PostgreSQL.
    """
    engine, storage = _connect(url, heartbeat)
    with _exclusive(engine):
        both = [(study, study.create(storage, f"{key[:12]} ")) for study in studies]
    while not all(_is_over(study, running) for study, running in both):
        if not any(_took_part(study, running, engine, on_trial) for study, running in both):
            time.sleep(heartbeat / 4)
    return [(study, _in_order(study, running)) for study, running in both]


def _took_part(
    study: Study, running: optuna.Study, engine: sqlalchemy.Engine, on_trial: Callable[[Study, Numbers], None]
) -> bool:
    """Train one trial, if one is waiting."""
    with ExitStack() as lock:
        lock.enter_context(_exclusive(engine))
        with _experimental():
            optuna.storages.fail_stale_trials(running)
        _fail_never_begun(running, engine)
        _plan(study, running)
        trials = running.get_trials(deepcopy=False)
        if _out_of_time(study, trials) or not any(trial.state is TrialState.WAITING for trial in trials):
            return False
        taken: list[int] = []
        failed: list[Exception] = []

        def trained(trial: optuna.Trial) -> float:
            assert isinstance(running._storage, BaseHeartbeat)
            running._storage.record_heartbeat(trial._trial_id)
            lock.close()  # the trial is this worker's now
            taken.append(trial.number)
            try:
                return study.objective(trial)
            except optuna.TrialPruned:
                raise
            except Exception as error:
                failed.append(error)
                raise

        try:
            running.optimize(trained, n_trials=1)
        except Exception:
            if not taken or not all(isinstance(error, UpdateFinishedTrialError) for error in failed):
                raise
            # Optuna can't take a result for a trial that was failed in the meantime.
            print(f"{study.name}: a trial was taken from this worker, which missed its heartbeats", flush=True)
            return True
    on_trial(study, study.row(running.get_trials(deepcopy=False)[taken[0]]))
    return True


def _fail_never_begun(running: optuna.Study, engine: sqlalchemy.Engine) -> None:
    """Fail trials whose worker died before the first heartbeat, which Optuna never calls stale; under the lock.

    A worker records the first one before it leaves the lock, so under the lock no other trial is without.
    """
    with engine.connect() as connection:
        beating = set(connection.execute(sqlalchemy.text("SELECT trial_id FROM trial_heartbeats")).scalars())
    for trial in running.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial._trial_id not in beating:
            running._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def _plan(study: Study, running: optuna.Study) -> None:
    """Put every trial that nobody has finished, has taken or can take into the queue; under the lock."""
    for number, tries in enumerate(_tries(study, running.get_trials(deepcopy=False))):
        if len(tries) < ATTEMPTS and all(trial.state is TrialState.FAIL for trial in tries):
            running.enqueue_trial(tries[-1].params if tries else {}, user_attrs={NUMBER: number})


def _is_over(study: Study, running: optuna.Study) -> bool:
    trials = running.get_trials(deepcopy=False)
    if _out_of_time(study, trials):
        return not any(trial.state is TrialState.RUNNING for trial in trials)
    return len(_in_order(study, running)) == study.tune.trials


def _in_order(study: Study, running: optuna.Study) -> list[FrozenTrial]:
    """For each number of the plan its finished trial, or its last attempt if it was given up."""
    found = []
    for tries in _tries(study, running.get_trials(deepcopy=False)):
        finished = [trial for trial in tries if trial.state in FINISHED]
        given_up = [trial for trial in tries if trial.state is TrialState.FAIL]
        if finished or len(given_up) >= ATTEMPTS:
            found.append(finished[0] if finished else given_up[-1])
    return found


def _tries(study: Study, trials: Sequence[FrozenTrial]) -> list[list[FrozenTrial]]:
    """For each number of the plan, the trials that were made of it."""
    tries: list[list[FrozenTrial]] = [[] for _ in range(study.tune.trials)]
    for trial in trials:
        tries[number_of(trial)].append(trial)
    return tries


def _out_of_time(study: Study, trials: Sequence[FrozenTrial]) -> bool:
    return seconds_of(trials) >= study.limit


def _connect(url: str, heartbeat: int) -> tuple[sqlalchemy.Engine, optuna.storages.RDBStorage]:
    try:
        parsed = sqlalchemy.make_url(url)
    except SQLAlchemyError:
        raise UserError("MULTIRESUNET_STUDIES isn't a URL like postgresql://user:password@host/database") from None
    where = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() != "postgresql":
        raise UserError(f"MULTIRESUNET_STUDIES = {where}: must be a PostgreSQL database, postgresql://…")
    parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True)
        with _exclusive(engine), _experimental():  # two that make the tables at once get in each other's way
            storage = optuna.storages.RDBStorage(
                parsed.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat,
                grace_period=GRACE * heartbeat,
            )
    except ModuleNotFoundError:
        raise UserError("many workers need psycopg, which isn't installed; pip install '.[workers]'") from None
    except OperationalError as error:
        raise UserError(f"MULTIRESUNET_STUDIES = {where}: no connection ({error.orig}); see that it runs") from None
    return engine, storage


@contextmanager
def _experimental() -> Iterator[None]:
    """Optuna warns of its heartbeat at every use; its version is bounded, and tests kill workers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


@contextmanager
def _exclusive(engine: sqlalchemy.Engine) -> Iterator[None]:
    """Hold the lock of all workers; one that dies loses its connection, and the lock with it."""
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield
        connection.rollback()
