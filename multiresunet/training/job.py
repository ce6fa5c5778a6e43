"""Train one network on one split: go on after a kill, stop when asked to, and say what to change when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch

from multiresunet.config import Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import DivergedError, StoppedError, UserError
from multiresunet.inference.predictor import cross_validated, predict
from multiresunet.memory import keep_freed_memory
from multiresunet.nets import NetworkSpec
from multiresunet.training.devices import Alone, Devices
from multiresunet.training.loader import Indices
from multiresunet.training.resume import Checkpointer
from multiresunet.training.stop_signal import StopSignal
from multiresunet.training.trainer import Epoch, Fit, Trainer

__all__ = ["Epoch", "Fit", "Indices", "cross_validated", "fit", "predict", "use_threads"]


def use_threads(threads: int, *, deterministic: bool = True) -> torch.device:
    """Make results repeatable: fix the number of CPU threads and the algorithms; return the device to use.

    On the CPU algorithms are always deterministic; on a GPU the faster ones, which aren't, can be allowed.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fixed = deterministic or device.type == "cpu"
    if fixed:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with this
    # As use_deterministic_algorithms, which imports torch's compiler too: two seconds of every stage.
    torch.set_deterministic_debug_mode("error" if fixed else "default")
    # Costs time, and nothing here reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set dynamically
    torch.backends.cudnn.benchmark = not fixed
    return device


def fit(
    spec: NetworkSpec,
    data: PreparedDataset,
    train: Indices,
    test: Indices,
    recipe: Recipe,
    *,
    epochs: int,
    threshold: float,
    seed: int,
    names: tuple[str | int, ...],
    device: torch.device,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    checkpointer: Checkpointer | None = None,
    stop_signal: StopSignal = lambda: None,
    devices: Devices | None = None,
) -> Fit:
    """Train a network from scratch, or go on from the state that `checkpointer` has.

    Going on gives the same bytes as never having stopped (on the CPU), at whatever step that was: the order of images
    and their augmentation depend on the names, epoch and step alone, and the state holds the rest.

    Args:
        spec: the network.
        data: the prepared data set.
        train, test: indices into it; the test images choose nothing but which epoch is called best.
        recipe: batch, loss, optimiser, schedule, averaging, augmentation, normalisation, precision.
        epochs: how many.
        threshold: of the probability, for the Jaccard index.
        seed, names: initial weights, the order of the images and their augmentation depend on these alone.
        device: where to compute, if not on several `devices`.
        on_epoch: called after each epoch that is trained now.
        checkpointer: where the state is kept; nowhere if absent.
        stop_signal: asked after each step; if it returns a signal's number, the state is saved and training stops.
        devices: several that share each batch, for the same result but for rounding. Each process calls this function;
            the first keeps the state, at the end of epochs only, which is also when a wish to stop is granted. All of
            them score all test images.

    Raises:
        StoppedError: after `stop_signal`.
        DivergedError: if the loss is no longer finite.
        UserError: if memory or disk run out; says what to change.
    """
    devices = devices or Alone(device)
    alone, rank = devices.world_size == 1, devices.global_rank
    checkpointer = checkpointer or Checkpointer()
    state = (
        checkpointer.load()
    )  # before `Trainer`, where processes wait for each other: what one reads, none has yet removed
    training = Trainer(spec, data, train, test, recipe, epochs, threshold, seed, names, devices)
    if state is not None:
        training.resume(state)
    try:
        while training.epoch <= epochs:
            for _ in training.steps():
                number = stop_signal() if alone else None
                if number is not None or (alone and checkpointer.due(epoch_ended=False)):
                    training.check()
                    checkpointer.save(training.state())
                if number is not None:
                    raise StoppedError(f"{training.place}, by signal {number}; {checkpointer.last}", number)
            line = training.end_epoch()
            number = _agreed(stop_signal(), devices)
            # At the end of a fold the state stands for its result until the outputs of all folds are there.
            due = number is not None or training.epoch > epochs or checkpointer.due(epoch_ended=True)
            if due and rank == 0:
                checkpointer.save(training.state())
            on_epoch(line)
            if number is not None and training.epoch <= epochs:
                raise StoppedError(f"{training.place}, by signal {number}; {checkpointer.last}", number)
    except FloatingPointError:
        rate = recipe.optimiser.learning_rate
        raise DivergedError(
            f"{training.place}: the loss is no longer a finite number; {checkpointer.last}; lower the recipe's "
            f"optimiser.learning_rate (now {rate:g}), and see that the images hold finite numbers"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        place, kept = training.place, checkpointer.last
        del training
    else:
        return training.result
    # Outside of `except`, where the failed step's tensors are still held.
    fitting = largest_batch(lambda batch: _one_step(spec, data, recipe, batch, device), recipe.batch)
    advice = f"lower the recipe's batch to {fitting}, the largest that fits" if fitting else "not even 2 images fit"
    raise UserError(
        f"{place}: out of memory on {device} with {recipe.batch} images at a time; {kept}; {advice}, or lower "
        "longest_side or filters"
    )


def _agreed(wish: int | None, devices: Devices) -> int | None:
    """The signal that any of the processes has received."""
    if devices.world_size == 1:
        return wish
    return int(devices.all_reduce(torch.tensor(wish or 0, device=devices.device), reduce_op="max").item()) or None


def largest_batch(attempt: Callable[[int], None], batch: int) -> int | None:
    """The first of batch/2, batch/4, … down to 2 with which `attempt` doesn't run out of memory."""
    while (batch := batch // 2) >= 2:
        try:
            attempt(batch)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
        else:
            return batch
    return None


def _one_step(spec: NetworkSpec, data: PreparedDataset, recipe: Recipe, batch: int, device: torch.device) -> None:
    """One training step of a new network on the first images."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    some = np.resize(np.arange(len(data.masks)), batch)
    training = Trainer(spec, data, some, some, recipe, 1, 0.5, 0, ("trial",), Alone(device))
    for _ in training.steps():
        training.losses.item()


def _out_of_memory(error: Exception) -> bool:
    words = ("can't allocate memory", "not enough memory", "CUDA out of memory")  # of PyTorch's CPU allocator
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in words)
