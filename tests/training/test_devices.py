"""Two processes that train together give what one gives, but for rounding."""

from __future__ import annotations

import pickle
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from multiresunet.config import Recipe
from multiresunet.errors import StoppedError, UserError
from multiresunet.nets import NetworkSpec
from multiresunet.training.devices import SingleDevice, gpu_in_words, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.result import Fit
from multiresunet.training.resume import Checkpointer
from multiresunet.training.synchronised import SynchronisedNorm
from tests.discs import discs
from tests.training.making import RECIPE, job_of
from tests.training.test_resume import EVERYTHING

pytestmark = pytest.mark.integration
SPEC = NetworkSpec("unet_bn", 2, 1, filters=4)


def together(work: Callable[[Fabric], object], count: int = 2) -> object:
    """What `work` returns in the first of some processes; forked, since the modules are loaded already."""
    fabric = Fabric(accelerator="cpu", devices=count, strategy="ddp_fork")
    with tempfile.NamedTemporaryFile() as file:

        def kept(started: Fabric) -> None:
            result = work(started)
            if started.global_rank == 0:  # by a file, since Fabric's queue blocks when it holds more than 64 KiB
                Path(file.name).write_bytes(pickle.dumps(result))

        fabric.launch(kept)
        return pickle.loads(Path(file.name).read_bytes())


def trained(
    fabric: Fabric | None, recipe: Recipe, checkpointer: Checkpointer | None = None, stop: int | None = None
) -> Fit:
    job = job_of(
        discs(13, (32, 32), 1, 3),  # batches of 3, 3 and 2, so that shares differ
        spec=SPEC,
        recipe=recipe,
        epochs=2,
        devices=fabric or SingleDevice(use_threads(1)),
    )
    # Rounding grows by chance: over five seeds the first epoch's loss differs by 1e-8 to 4e-5. This one stays small.
    return fit(replace(job, seed=3), checkpointer=checkpointer, stop_signal=lambda: stop)


def steady(recipe: Recipe) -> Recipe:
    """Without what blows rounding up: bfloat16, and Adam's division of small gradients by themselves."""
    optimiser = recipe.optimiser.model_copy(update={"epsilon": 0.1, "learning_rate": 0.01})
    return recipe.model_copy(update={"precision": "float32", "optimiser": optimiser})


@pytest.mark.parametrize("recipe", [steady(RECIPE), steady(EVERYTHING)], ids=["plain", "everything"])
def test_two_processes_train_as_one(recipe: Recipe) -> None:
    one, two = trained(None, recipe), together(lambda fabric: trained(fabric, recipe))
    assert isinstance(two, Fit)
    for ours, theirs in zip(one.history, two.history, strict=True):
        assert theirs.train_loss == pytest.approx(ours.train_loss, rel=1e-4)
        assert theirs.test_loss == pytest.approx(ours.test_loss, rel=1e-3)
        assert theirs.test_jaccard == pytest.approx(ours.test_jaccard, abs=0.01)
    assert list(one.last) == list(two.last)
    for name, weights in one.last.items():
        torch.testing.assert_close(two.last[name], weights, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_processes_stop_at_the_epochs_end_and_resume_from_there(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "s.pt")

    def stopped(fabric: Fabric) -> str:
        try:  # only the second process hears the signal
            trained(fabric, RECIPE, checkpointer, signal.SIGTERM if fabric.global_rank == 1 else None)
        except StoppedError as stop:
            return str(stop)
        return ""

    assert "t: epoch 2, step 0, by signal 15" in str(together(stopped))
    whole, resumed = together(lambda f: trained(f, RECIPE)), together(lambda f: trained(f, RECIPE, checkpointer))
    assert isinstance(whole, Fit)
    assert isinstance(resumed, Fit)
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.last[name], whole.last[name]) for name in whole.last)


def test_more_devices_than_images_in_a_batch_are_refused() -> None:
    def refused(fabric: Fabric) -> str:
        try:
            trained(fabric, RECIPE)
        except UserError as error:
            return str(error)
        return ""

    assert "a batch of 2 images can't be shared by 3 devices; lower machine.devices" in str(together(refused, 3))


@pytest.mark.parametrize("dims", [2, 3])
def test_shared_normalisation_is_that_of_all_images(dims: int) -> None:
    images = torch.randn(5, 3, *[4] * dims, generator=torch.Generator().manual_seed(0)) * 2 + 50
    ask = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))

    def normalised(fabric: Fabric | None) -> tuple[torch.Tensor, ...]:
        layer = torch.nn.BatchNorm2d(3) if dims == 2 else torch.nn.BatchNorm3d(3)
        mine = slice(None)
        if fabric is not None:
            layer.__class__ = SynchronisedNorm
            mine = slice(fabric.global_rank, None, 2)
        x = images[mine].clone().requires_grad_()
        y = layer(x)
        (y * ask[mine]).sum().backward()
        assert x.grad is not None
        assert layer.running_mean is not None
        assert layer.running_var is not None
        return y.detach(), x.grad, layer.running_mean, layer.running_var

    y, gradient, mean, variance = normalised(None)
    shared = together(normalised)
    assert isinstance(shared, tuple)
    torch.testing.assert_close(shared[0], y[::2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(shared[1], gradient[::2], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(shared[2], mean)
    torch.testing.assert_close(shared[3], variance)


def test_one_device_is_itself() -> None:
    alone = SingleDevice(torch.device("cpu"))
    module = torch.nn.Linear(1, 1)
    assert alone.setup_module(module) is module
    assert alone.all_reduce(torch.tensor(3.0), reduce_op="sum") == 3


def test_a_gpu_is_named_with_its_driver_and_how_it_multiplies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA X")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu = torch.device("cuda")
    assert gpu_in_words(gpu, RECIPE) == (
        f"NVIDIA X, driver unknown, PyTorch {torch.__version__}, float32 (convolutions in TF32)"
    )
    asked = tmp_path / "nvidia-smi"
    asked.write_text("#!/bin/sh\necho 580.1.2\necho 580.1.2\n")  # a line for each GPU
    asked.chmod(0o755)
    mixed = RECIPE.model_copy(update={"precision": "bfloat16"})
    assert gpu_in_words(gpu, mixed) == f"NVIDIA X, driver 580.1.2, PyTorch {torch.__version__}, bfloat16"
