"""CONTRIBUTING's table of requests is true: each is done in a copy of the code, in the file that the table names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.inference.making import trained
from tests.warm import Warm

Said = Callable[..., str]  # what `python -c CODE` or `python -m MODULE …` prints in the copy
ROOT = Path(__file__).parents[1]
TABLE = {
    row[0]: row[1]
    for row in re.findall(
        r"^\| ([^|]+) \| `([\w/.]+)` \| [^|]+ \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
}


def located(root: Path, request: str, name: str = "NAME") -> Path:
    """The file that the table names for a request; names without one of the top folders are in the library."""
    file: str = TABLE[request].replace("NAME", name)
    return root / file if file.startswith(("flows/", "stages/")) else root / "multiresunet" / file  # data/ is a run's


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and params.yaml, to be changed."""
    for folder in ("multiresunet", "stages", "flows"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    return tmp_path


def add(copy: Path, request: str, code: str, name: str = "NAME") -> None:
    """Write code to the end of the file for a request: a new file if the table has NAME in it."""
    path = located(copy, request, name)
    assert path.exists() == ("NAME" not in TABLE[request])
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n\n{code}")


def edit(copy: Path, *keys: str, value: object) -> None:
    """Give a key of params.yaml a value."""
    path = copy / "params.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    place = tree
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


@pytest.fixture
def said(copy: Path, warm: Warm) -> Said:
    """In a process that has libraries loaded, but none of the project's code."""

    def run(*words: str) -> str:
        if words[0] == "-c":
            (copy / "asked.py").write_text(words[1], encoding="utf-8")
            words = ("-m", "asked")
        done = warm.run(*words[1:], cwd=copy)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_every_row_of_the_table_is_read() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| to add or change |")[2].partition("\n\n")[0]
    assert len(TABLE) == table.count("\n| ")


@pytest.mark.parametrize("request_", TABLE)
def test_every_file_is_there_and_every_request_is_tried(request_: str) -> None:
    path = located(ROOT, request_)
    assert (path.parent if path.stem == "NAME" else path).exists()
    assert f'add(copy, "{request_}"' in Path(__file__).read_text(encoding="utf-8")


NETWORK = """
from torch import nn

from multiresunet.nets.layers import ConvBias, up
from multiresunet.nets.ushape import Level, UShape
from multiresunet.registries import NETWORKS


@NETWORKS.register("tiny", takes=())
def tiny(spec):
    dims, n = spec.dims, spec.filters
    return UShape(
        dims,
        [Level(ConvBias(dims, spec.in_channels, n, 3), nn.Identity(), up(dims, n, n), ConvBias(dims, 2 * n, n, 3))],
        bottleneck=ConvBias(dims, n, n, 3),
        head=ConvBias(dims, n, spec.classes, 1, relu=False),
    )
"""


def test_a_network(copy: Path, said: Said) -> None:
    add(copy, "a network", NETWORK, "tiny")
    edit(copy, "models", "mine", value={"network": "tiny", "filters": 4})
    code = """
import torch
from multiresunet import build_network, config
from multiresunet.nets import NetworkSpec
name = config.load().models["mine"].network
print(build_network(NetworkSpec(name, 2, 3, filters=4, classes=2))(torch.zeros(1, 3, 8, 8)).shape)
"""
    assert said("-c", code) == "torch.Size([1, 2, 8, 8])\n"


METRIC = """
from multiresunet.registries import METRICS


@METRICS.register("agreement")
def agreement(masks):
    return float((masks.prediction == masks.truth).mean())
"""


def test_a_metric(copy: Path, said: Said) -> None:
    add(copy, "a metric", METRIC, "agreement")
    code = """
import numpy as np, pandas as pd
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import tables
masks = np.zeros((2, 8, 8), np.uint8)
masks[:, 2:6, 2:6] = 1
data = PreparedDataset(masks[:, None], masks, pd.DataFrame({"sample": ["a", "b"], "group": "", "fold": [0, 1]}))
predicted = np.zeros((2, 8, 8), bool)
print(list(tables.per_image(data, "mine", predicted, predicted, [1])["agreement"]))
"""
    assert said("-c", code) == "[0.75, 0.75]\n"


PERTURBATION = """
@PERTURBATIONS.register("invert", kind="intensity")
def invert(image: Array, amount: float, rng: Generator) -> Array:
    return _f32(amount - image)
"""


def test_a_perturbation(copy: Path, said: Said) -> None:
    add(copy, "a perturbation", PERTURBATION)
    edit(copy, "evaluate", "perturbations", "invert", value=[1, 1, 1, 1, 1])
    code = """
import numpy as np
from multiresunet import config
from multiresunet.evaluation.perturbations import perturb
amounts = config.load().evaluate.perturbations["invert"]
image, mask = np.zeros((1, 4, 4), np.float32), np.zeros((4, 4), bool)
print(perturb(image, mask, "invert", amounts[0], np.random.default_rng(0), False)[0].mean())
"""
    assert said("-c", code) == "1.0\n"


READER = """
import numpy as np

from multiresunet.data.readers.common import Read
from multiresunet.registries import READERS


@READERS.register("bytes", suffixes=(".bytes",))
def read_bytes(path, as_mask):
    return Read(np.fromfile(path, np.uint8).reshape(1, 3, 4), (), "bytes")
"""


def test_a_file_format(copy: Path, said: Said) -> None:
    add(copy, "a file format", READER, "bytes_files")
    code = """
from pathlib import Path
import numpy as np
from multiresunet.data.readers import decode_image
np.ones(12, np.uint8).tofile("a.bytes")
print(decode_image(Path("a.bytes")).array.shape, decode_image(Path("a.bytes")).container)
"""
    assert said("-c", code) == "(1, 3, 4) bytes\n"


LOSS = """
@LOSSES.register("brier")
def brier(outputs: int) -> Loss:
    return lambda logits, labels: ((logits.sigmoid() - labels) ** 2).mean()
"""


def test_a_loss(copy: Path, said: Said) -> None:
    add(copy, "a loss", LOSS)
    edit(copy, "recipes", "quick", "loss", value="brier")
    code = """
import torch
from multiresunet import config
from multiresunet.training.losses import loss_by_name
print(loss_by_name(config.load().recipe.loss, 1)(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)).item())
"""
    assert said("-c", code) == "0.25\n"


COLUMN = """
_without = summary


def summary(gathered: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found = _without(gathered)
    return found.assign(dice_share=found["dice"] / found["jaccard"])
"""


def test_a_column_of_the_summary(copy: Path, said: Said) -> None:
    add(copy, "a column of the summary", COLUMN)
    code = f"""
import pandas as pd
from stages.report import tables
gathered = {{name: pd.read_csv(f"{ROOT}/metrics/{{name}}.csv") for name in ("folds", "tuning")}}
print(tables.summary(gathered).columns[-1])
"""
    assert said("-c", code) == "dice_share\n"


COMMENT = """
_without = Diff.markdown
Diff.markdown = lambda self: _without(self) + "\\nSee you.\\n"
"""


def test_what_the_pull_requests_comment_says(copy: Path, said: Said) -> None:
    add(copy, "what the pull request's comment says", COMMENT)
    shutil.copytree(ROOT / "metrics", copy / "metrics")
    shutil.copyfile(ROOT / "dvc.lock", copy / "dvc.lock")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *words], cwd=copy, check=True)
    assert said("-m", "multiresunet", "diff", "HEAD").endswith("\nSee you.\n")
    assert "multiresunet diff" in (ROOT / ".github/scripts/compare.sh").read_text(encoding="utf-8")


def test_which_stages_get_a_gpu(copy: Path, said: Said) -> None:
    add(copy, "which stages get a GPU", 'ON_GPU |= {"evaluate"}\n')
    code = """
from flows.resources import Resources
with Resources(1, ["7"]).take("evaluate@nuclei") as device:
    print(device)
"""
    assert said("-c", code) == "7\n"


PHANTOM = """
@PHANTOMS.register("squares")
def squares(rng: Generator) -> Picture:
    inside = np.zeros(SQUARE, bool)
    inside[20:40, 30 : 50 + rng.integers(20)] = True
    return _binary(inside)[None], _binary(inside)
"""


def test_a_phantom(copy: Path, said: Said) -> None:
    add(copy, "a phantom", PHANTOM)
    entry = yaml.safe_load((copy / "params.yaml").read_text(encoding="utf-8"))["datasets"]["nuclei"]
    edit(
        copy,
        "datasets",
        "mine",
        value=entry | {"source": {"kind": "phantom", "draw": "squares", "samples": 3, "seed": 1}},
    )
    said("-m", "stages.fetch", "mine")
    assert len(list((copy / "data/raw/mine/images").iterdir())) == 3


AREAS = """
_masks_alone = predictions.save


def _with_areas(path, masks):
    _masks_alone(path, masks)
    write_csv(path.with_name("areas.csv"), pd.DataFrame({"pixels": [mask.sum() for mask in masks]}))


predictions.save = _with_areas
"""


def test_an_output_of_the_stage_predict(copy: Path, said: Said) -> None:
    add(copy, "an output of the stage predict", AREAS)
    code = """
from pathlib import Path
import numpy as np, pandas as pd
from multiresunet import build_network
from multiresunet.nets import NetworkSpec
from multiresunet.training import checkpoint
from stages.predict import predict
prepared, trained = Path("data/prepared/nuclei"), Path("data/trained/nuclei/unet/1")
for folder in (prepared, trained):
    folder.mkdir(parents=True)
masks = np.zeros((4, 32, 32), np.uint8)
masks[:, 8:20, 8:20] = 1
np.save(prepared / "images.npy", 200 * masks[:, None])
np.save(prepared / "masks.npy", masks)
samples = pd.DataFrame({"sample": list("abcd"), "group": "", "fold": [0, 0, 1, 1]})
samples.to_csv(prepared / "samples.csv", index=False)
spec = NetworkSpec("unet", 2, 1, filters=2)
for name in ("fold0-best", "fold0-last", "fold1-best", "fold1-last"):
    checkpoint.save(trained / f"{name}.safetensors", spec, build_network(spec).state_dict())
history = pd.DataFrame({"fold": [0, 1], "epoch": 1, "test_jaccard": 0.5, "updates": 9})
history.to_csv(trained / "history.csv", index=False)
predict("nuclei", "unet")
print(len(pd.read_csv("data/predicted/nuclei/unet/1/areas.csv")))
"""
    assert said("-c", code).endswith("\n4\n")
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert pipeline["stages"]["predict"]["outs"] == [
        "data/predicted/${item.dataset}/${item.model}/${item.seed}"
    ]  # all of it


DOUBT = """
@OUTPUTS.register("doubt", pixelwise=True)
def doubt(predicted: Predicted) -> NDArray[np.float32]:
    found = predicted.prediction.foreground
    return np.minimum(found, 1 - found)
"""


def test_an_output_of_the_command_predict(copy: Path, said: Said) -> None:
    add(copy, "an output of the command predict", DOUBT)
    Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32)).save(copy / "a.png")
    model = str(trained(copy / "model"))
    said("-m", "multiresunet", "predict", model, "a.png", "--out", "out", "--save", "doubt,probability")
    doubt, probability = (np.asarray(Image.open(copy / f"out/a_{name}.png")) for name in ("doubt", "probability"))
    expected = np.minimum(probability.astype(int), 65535 - probability.astype(int))
    np.testing.assert_allclose(doubt.astype(int), expected, atol=1)  # rounded twice
