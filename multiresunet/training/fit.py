"""Train one network on one split: go on after a kill, stop when asked to, and say what to change when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch

from multiresunet.data.arrays import Prepared
from multiresunet.errors import StoppedError, UserError
from multiresunet.memory import keep_freed_memory
from multiresunet.nets import NetworkSpec
from multiresunet.params import Recipe
from multiresunet.training.feed import Indices
from multiresunet.training.loop import Epoch, Fit, Training
from multiresunet.training.scoring import cross_validated, predict
from multiresunet.training.state import Keeper
from multiresunet.training.stopping import Wish

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
    data: Prepared,
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
    keeper: Keeper | None = None,
    stop_wish: Wish = lambda: None,
) -> Fit:
    """Train a network from scratch, or go on from the state that `keeper` has.

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
        device: where to compute.
        on_epoch: called after each epoch that is trained now.
        keeper: where the state is kept; nowhere if absent.
        stop_wish: asked after each step; if it returns a signal's number, the state is saved and training stops.

    Raises:
        StoppedError: after `stop_wish`.
        UserError: if the loss is no longer finite, or memory or disk run out; says what to change.
    """
    training = Training(spec, data, train, test, recipe, epochs, threshold, seed, names, device)
    keeper = keeper or Keeper()
    if (state := keeper.load()) is not None:
        training.resume(state)
    try:
        while training.epoch <= epochs:
            for _ in training.steps():
                number = stop_wish()
                if number is not None or keeper.due(epoch_ended=False):
                    training.check()
                    keeper.save(training.state())
                if number is not None:
                    raise StoppedError(f"{training.place}, by signal {number}; {keeper.last}", number)
            line = training.end_epoch()
            number = stop_wish()
            # At the end of a fold the state stands for its result until the outputs of all folds are there.
            if number is not None or training.epoch > epochs or keeper.due(epoch_ended=True):
                keeper.save(training.state())
            on_epoch(line)
            if number is not None and training.epoch <= epochs:
                raise StoppedError(f"{training.place}, by signal {number}; {keeper.last}", number)
    except FloatingPointError:
        rate = recipe.optimiser.learning_rate
        raise UserError(
            f"{training.place}: the loss is no longer a finite number; {keeper.last}; lower the recipe's "
            f"optimiser.learning_rate (now {rate:g}), and see that the images hold finite numbers"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        place, kept = training.place, keeper.last
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


def _one_step(spec: NetworkSpec, data: Prepared, recipe: Recipe, batch: int, device: torch.device) -> None:
    """One training step of a new network on the first images."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    some = np.resize(np.arange(len(data.masks)), batch)
    training = Training(spec, data, some, some, recipe, 1, 0.5, 0, ("trial",), device)
    for _ in training.steps():
        training.losses.item()


def _out_of_memory(error: Exception) -> bool:
    words = ("can't allocate memory", "not enough memory", "CUDA out of memory")  # of PyTorch's CPU allocator
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in words)
