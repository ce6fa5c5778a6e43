"""model.json: what a trained folder says of itself, so that its networks can be used without the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError

from multiresunet.config import Strict, first_finding
from multiresunet.data.description import DataDescription
from multiresunet.errors import UserError
from multiresunet.files import write_json

NAME = "model.json"
FINAL = "final"


class NetworkDescription(Strict):
    """One network of a model.

    file, sha256: its weights after the last epoch.
    spec: the network's specification, as `NetworkSpec.as_dict`.
    updates, batch, learning_rate: how it was trained, where the model, or tuning, has numbers of its own beside the
        recipe's; None in files of before they were kept.
    jaccard, jaccard_best_epoch: on the fold's test images, after the last epoch and after the best one; None of a
        network that was trained on all images.
    """

    file: str
    sha256: str
    spec: dict[str, Any]
    updates: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    jaccard: float | None = None
    jaccard_best_epoch: float | None = None


class ModelDescription(Strict):
    """All that a trained folder knows.

    networks: by name: the fold (from 0) that each hasn't seen, or `final`, which has seen all.
    threshold: of the probability, that the scores are for.
    jaccard, jaccard_sd: mean and standard deviation over the folds, after the last epoch: what to expect of the
        networks on images like those of the data set, `final` included.
    digests: SHA-256 of the prepared data, and of the code and the versions that the training depends on.
    commit: the commit that it is from; None until the model leaves the project.
    """

    model_config = ConfigDict(strict=False)

    format: Literal[1] = 1
    model: str
    data: DataDescription
    networks: dict[str, NetworkDescription]
    threshold: float
    jaccard: float
    jaccard_sd: float
    recipe: dict[str, Any]
    seed: int
    digests: dict[str, str]
    commit: str | None = None

    @property
    def folds(self) -> list[str]:
        """The names of the networks that cross-validation trained, in order."""
        return sorted((name for name in self.networks if name != FINAL), key=int)

    @classmethod
    def open(cls, folder: Path) -> ModelDescription:
        """Read the description in a folder.

        Raises:
            UserError: if it is missing, damaged, or of a later version.
        """
        path = folder / NAME
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(tree, dict) and tree.get("format", 1) != 1:
                raise UserError(f"{path}: of format {tree['format']}, this version reads 1; update multiresunet")
            return cls.model_validate(tree)
        except FileNotFoundError:
            raise UserError(
                f"{folder}: no trained model ({NAME}) in this folder; run `dvc repro`, or `dvc checkout`"
            ) from None
        except ValidationError as error:
            raise UserError(f"{path}: {first_finding(error)}; train again, or choose another") from None
        except ValueError as error:
            raise UserError(f"{path}: damaged ({error}); train again, or choose another") from None

    def write(self, folder: Path) -> None:
        """Write it beside the weights."""
        write_json(folder / NAME, self.model_dump(mode="json"))
