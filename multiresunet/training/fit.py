"""Train one network on one split: resume after a kill, stop on request, and say what to change when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from multiresunet import arithmetic
from multiresunet.errors import DivergedError, StoppedError, UserError
from multiresunet.memory import out_of_memory
from multiresunet.training.devices import Devices, SingleDevice
from multiresunet.training.job import TrainJob
from multiresunet.training.result import Epoch, Fit
from multiresunet.training.resume import Checkpointer
from multiresunet.training.stop_signal import StopSignal
from multiresunet.training.trainer import Trainer


def fit(
    job: TrainJob,
    *,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    checkpointer: Checkpointer | None = None,
    stop_signal: StopSignal = lambda: None,
) -> Fit:
    """Train a network from scratch, or resume from the state that `checkpointer` has.

    A resumed training gives the same bytes as one that never stopped (on the CPU), at whatever step that was: the
    order of images and their augmentation depend on the names, epoch and step alone, and the state holds the rest.
    On several devices each process calls this function, and the result is that of one device but for rounding. The
    first process saves the state, at the end of epochs only, which is also when all of them stop on a signal.

    Args:
        job: what to train, on what, and how.
        on_epoch: called after each epoch that is trained now.
        checkpointer: where the state is saved; nowhere if absent.
        stop_signal: asked after each step; if it returns a signal's number, the state is saved and training stops.

    Raises:
        StoppedError: after `stop_signal`.
        DivergedError: if the loss is no longer finite.
        UserError: if memory or disk run out, says what to change; if the recipe's arithmetic is portable and this
            process' isn't; as `Trainer`.
    """
    arithmetic.check(job.recipe.arithmetic)
    checkpointer = checkpointer or Checkpointer()
    # Before `Trainer`, where processes wait for each other: what one reads, none has removed yet.
    state = checkpointer.load()
    trainer = None
    place = " ".join(map(str, job.names))
    try:
        trainer = Trainer(job)
        if state is not None:
            trainer.resume(state)
        _train(trainer, on_epoch, checkpointer, stop_signal)
    except FloatingPointError:
        place = trainer.place if trainer else place
        rate = job.recipe.optimiser.learning_rate
        raise DivergedError(
            f"{place}: the loss is no longer a finite number; {checkpointer.last}; lower the model's learning_rate, or "
            f"the recipe's if it has none (now {rate:g}), and see that the images hold finite numbers"
        ) from None
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):  # as PyTorch's normalisation says it
            raise
        raise UserError(
            f"{place}: {job.recipe.batch} image of {'×'.join(map(str, job.data.size))} at a time is one pixel at the "
            "network's deepest level, which can't be normalised; raise the recipe's batch to 2, or the data set's size"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        place, kept = trainer.place if trainer else place, checkpointer.last
        del trainer
    else:
        return trainer.result
    # Outside of `except`, where the failed step's tensors are still held.
    batch, device = job.recipe.batch, job.devices.device
    fitting = largest_batch(lambda batch: _one_step(job, batch), batch)
    what, side = ("images", "longest_side") if job.data.window is None else ("patches", "the data set's size")
    advice = f"lower the recipe's batch to {fitting}, the largest that fits" if fitting else f"not even 2 {what} fit"
    raise UserError(
        f"{place}: out of memory on {device} with {batch} {what} at a time; {kept}; {advice}, or lower "
        f"{side} or filters"
    )


def _train(
    trainer: Trainer, on_epoch: Callable[[Epoch], None], checkpointer: Checkpointer, stop_signal: StopSignal
) -> None:
    devices, epochs = trainer.job.devices, trainer.job.epochs
    alone = devices.world_size == 1

    def stopped(number: int) -> StoppedError:
        return StoppedError(f"{trainer.place}, by signal {number}; {checkpointer.last}", number)

    while trainer.epoch <= epochs:
        for _ in trainer.steps():
            number = stop_signal() if alone else None
            if number is not None or (alone and checkpointer.due(epoch_ended=False)):
                trainer.check()
                checkpointer.save(trainer.state())
            if number is not None:
                raise stopped(number)
        line = trainer.end_epoch()
        number = _any_signal(stop_signal(), devices)
        # At the end of a fold the state stands for its result until the outputs of all folds are there.
        due = number is not None or trainer.epoch > epochs or checkpointer.due(epoch_ended=True)
        if due and devices.global_rank == 0:
            checkpointer.save(trainer.state())
        on_epoch(line)
        if number is not None and trainer.epoch <= epochs:
            raise stopped(number)


def _any_signal(number: int | None, devices: Devices) -> int | None:
    """The signal that any of the processes has received."""
    if devices.world_size == 1:
        return number
    return int(devices.all_reduce(torch.tensor(number or 0, device=devices.device), reduce_op="max").item()) or None


def largest_batch(attempt: Callable[[int], None], batch: int) -> int | None:
    """The first of batch/2, batch/4, … down to 2 with which `attempt` doesn't run out of memory; None if none does."""
    while (batch := batch // 2) >= 2:
        try:
            attempt(batch)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        else:
            return batch
    return None


def _one_step(job: TrainJob, batch: int) -> None:
    """One training step of a new network on the first images, or patches of them."""
    device = job.devices.device
    if device.type == "cuda":
        torch.cuda.empty_cache()
    some = np.resize(np.arange(len(job.data.masks)), batch)
    recipe = job.recipe.model_copy(update={"batch": batch})  # of small images the patches may be more
    single = SingleDevice(device)
    trainer = Trainer(
        replace(job, train=some, test=some, recipe=recipe, epochs=1, seed=0, names=("trial",), devices=single)
    )
    for _ in trainer.steps():
        trainer.losses.item()
