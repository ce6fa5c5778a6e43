"""The two sides of benchmarks.train_speed: the loop of tutorials, and what the pipeline runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from multiresunet import config
from multiresunet.config import Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.memory import keep_freed_memory
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.job import TrainJob
from multiresunet.training.trainer import Trainer, autocast
from multiresunet.training.validation import validate

LEARNING_RATE = 1e-3


class Images(Dataset[tuple[Tensor, Tensor]]):
    """A prepared data set as tutorials write it."""

    def __init__(self, data: PreparedDataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.masks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(self.data.images[index]).float() / 255
        return image, torch.from_numpy(self.data.masks[index]).float().unsqueeze(0)


class Textbook:
    """The loop of tutorials."""

    def __init__(self, spec: NetworkSpec, data: PreparedDataset, batch: int, device: torch.device) -> None:
        self.device = device
        self.model = build_network(spec).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)
        workers: dict[str, Any] = {}
        if device.type == "cuda":
            workers = {"num_workers": 4, "pin_memory": True, "persistent_workers": True}
        self.loader = DataLoader(Images(data), batch_size=batch, shuffle=True, drop_last=True, **workers)

    def train(self) -> Iterator[None]:
        """One step at a time, for ever."""
        while True:
            for image, mask in self.loader:
                self.model.train()
                x, y = image.to(self.device), mask.to(self.device)
                self.optimizer.zero_grad()
                loss = F.binary_cross_entropy_with_logits(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                loss.item()
                yield

    def evaluate(self) -> float:
        """Mean Jaccard index of all images."""
        self.model.eval()
        scores = []
        with torch.no_grad():
            for image, mask in self.loader:
                predicted = torch.sigmoid(self.model(image.to(self.device))) > 0.5
                truth = mask.to(self.device) > 0.5
                for p, t in zip(predicted, truth, strict=True):
                    scores.append(((p & t).sum() / (p | t).sum()).item())
        return float(np.mean(scores))


class Engine:
    """What the pipeline runs."""

    def __init__(self, spec: NetworkSpec, data: PreparedDataset, recipe: Recipe, device: torch.device) -> None:
        everything = np.arange(len(data.masks))
        self.recipe, self.everything, self.device = recipe, everything, device
        self.training = Trainer(
            TrainJob(
                spec=spec,
                data=data,
                train=everything,
                test=everything,
                recipe=recipe,
                epochs=10**6,
                threshold=0.5,
                seed=0,
                names=("speed",),
                devices=SingleDevice(device),
            )
        )

    def train(self) -> Iterator[None]:
        """One step at a time, for ever."""
        while True:
            yield from self.training.steps()
            self.training.step = 0

    def evaluate(self) -> float:
        """Mean Jaccard index of all images, as after each epoch."""
        training = self.training
        with autocast(self.recipe, self.device):
            _, jaccard, _ = validate(
                training.validated, training.loader, self.everything, self.recipe.batch, 0.5, training.loss
            )
        return float(jaccard.mean())


def noise(count: int, channels: int, size: tuple[int, ...]) -> PreparedDataset:
    """Random images with random masks: speed doesn't depend on what is in them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, *size), dtype=np.uint8)
    masks = rng.integers(0, 2, (count, *size), dtype=np.uint8)
    return PreparedDataset(images, masks, pd.DataFrame({"sample": range(count), "group": "", "fold": 0}))


def recipe_for(batch: int, precision: str) -> Recipe:
    """The paper's, with another batch and precision; on a GPU algorithms are free to be fast."""
    paper = config.load().recipes["paper"]
    return paper.model_copy(update={"batch": batch, "precision": precision, "deterministic": False})


def settle(name: str, threads: int) -> None:
    """Put the process into the state that a side runs in: PyTorch's and glibc's own settings, or the pipeline's."""
    if name != "textbook":
        use_threads(threads, deterministic=False)
        return
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    keep_freed_memory(False)
