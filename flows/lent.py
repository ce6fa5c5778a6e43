"""A plan of studies on a machine that is lent for minutes: pack here, run there, gather here.

    python -m flows.lent pack   results/gpu/plan.yaml
    python -m flows.lent run    results/gpu/plan.yaml --minutes 9 --out OUT
    python -m flows.lent gather results/gpu/plan.yaml OUT/done.tar.xz

There are no DVC, no network and no data there: `pack` runs fetch, validate, preprocess and tune here, `run` the stages
train and score there, `gather` evaluate and report here: the same stages as `dvc repro` runs, each study in a folder.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import torch
import typer
import yaml
from pydantic import ValidationError

from multiresunet import config
from multiresunet.config import Strict
from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256, some_of, write_csv, write_json
from multiresunet.training.trainer import Epoch

ROOT = Path(__file__).parents[1]
WORK = Path(".state/lent")
PREDICTED, TRAINED, PREPARED = Path("data/predicted"), Path("data/trained"), Path("data/prepared")
MERCY = 45.0  # seconds that a stage has for saving its state, before it is killed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
Where = Annotated[Path, typer.Argument(help="The plan, a YAML file.")]


class Block(Strict):
    """Data sets × models of one recipe and one way of folding."""

    recipe: str
    by: Literal["image", "group"]
    datasets: list[str]
    models: list[str]


class Plan(Strict):
    """Blocks of work, the most important first."""

    blocks: list[Block]


@dataclass(frozen=True)
class Job:
    """One model on one data set in one study."""

    study: str
    dataset: str
    model: str

    @property
    def place(self) -> Path:
        """The study's folder."""
        return WORK / self.study

    @property
    def done(self) -> bool:
        """Whether it has been trained and scored."""
        return (self.place / PREDICTED / self.dataset / self.model).is_dir()


@app.command()
def pack(plan: Where) -> None:
    """Prepare all data sets of the plan in .state/lent, and pack what `run` needs into .state/lent/packed.tar.xz."""
    blocks = _read(plan)
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=40"], capture_output=True, text=True)
    origin = {"commit": commit.stdout.strip(), "requirements.lock": sha256(ROOT / "requirements.lock")}
    for study in dict.fromkeys(_study(block) for block in blocks):
        _lay_out(study, [block for block in blocks if _study(block) == study], origin)
    for study, dataset in dict.fromkeys((job.study, job.dataset) for job in jobs(blocks)):
        for stage in ("fetch", "validate", "preprocess"):
            _here(study, stage, dataset)
    for job in jobs(blocks):
        _here(job.study, "tune", job.dataset, job.model)
    target = WORK / "packed.tar.xz"
    _link_twins(sorted({job.place / PREPARED / job.dataset for job in jobs(blocks)}))
    _archive(target, [place for job in jobs(blocks) for place in _packed(job)])
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


@app.command()
def run(
    plan: Where,
    minutes: Annotated[float, typer.Option(help="Stop after so many.")],
    out: Annotated[Path, typer.Option(help="Where done.tar.xz goes.")],
) -> None:
    """Train and score in the plan's order until the time is up; what an earlier call has done isn't done again."""
    deadline = time.monotonic() + 60 * minutes
    blocks = _read(plan)
    _unpack([WORK / "packed.tar.xz", *sorted((WORK / "done").glob("*.tar.xz"))])
    out.mkdir(parents=True, exist_ok=True)
    stopped = False
    for job in jobs(blocks):
        if job.done:
            continue
        begun, times = time.monotonic(), {}
        for stage in ("train", "score"):
            since = time.monotonic()
            stopped = _until(deadline, job, stage)
            times[stage] = time.monotonic() - since
            if stopped:
                break
        if stopped:
            break
        _record(job, times)
        print(f"{job.study} {job.dataset} {job.model}: done in {time.monotonic() - begun:.0f} s", flush=True)
        _archive(out / "done.tar.xz", [place for each in jobs(blocks) if each.done for place in _result(each)])
    _partial(blocks, out / "folds.csv")
    left = [f"{job.study}/{job.dataset}/{job.model}" for job in jobs(blocks) if not job.done]
    print(f"left: {len(left)}" + (f" ({some_of(left)})" if left else ""))


@app.command()
def gather(plan: Where, done: Annotated[list[Path], typer.Argument(help="done.tar.xz of each call.")]) -> None:
    """Make the tables, figures and provenance of each study from what `run` brought back, beside the plan."""
    blocks = _read(plan)
    _unpack([WORK / "packed.tar.xz", *done])
    for study in dict.fromkeys(_study(block) for block in blocks):
        finished = [job for job in jobs(blocks) if job.study == study and job.done]
        datasets = list(dict.fromkeys(job.dataset for job in finished))
        models = list(dict.fromkeys(job.model for job in finished))
        whole = [m for m in models if all(Job(study, d, m).done for d in datasets)]
        if not whole:
            print(f"{study}: nothing is finished")
            continue
        tree = yaml.safe_load((WORK / study / "params.yaml").read_text(encoding="utf-8"))
        tree["run"] |= {"datasets": datasets, "models": whole}
        (WORK / study / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        for dataset in datasets:
            _here(study, "evaluate", dataset)
        _here(study, "report")
        _keep(study, plan.parent / study, [job for job in finished if job.model in whole])
        left_out = sorted(set(models) - set(whole))
        print(f"{plan.parent / study}: {', '.join(datasets)} × {', '.join(whole)}", end="")
        print(f"; left out, not finished on every data set: {', '.join(left_out)}" if left_out else "")


def jobs(blocks: list[Block]) -> Iterator[Job]:
    """All jobs, the most important first, each once."""
    seen = set()
    for block in blocks:
        for dataset in block.datasets:
            for model in block.models:
                job = Job(_study(block), dataset, model)
                if job not in seen:
                    seen.add(job)
                    yield job


def _study(block: Block) -> str:
    return f"{block.recipe}-{block.by}"


def _read(path: Path) -> list[Block]:
    loaded = config.load()
    try:
        plan = Plan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path}: this file is missing") from None
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("YAML",), "msg": str(error)}
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for block in plan.blocks:
        for what, names, known in (
            ("recipe", [block.recipe], loaded.recipes),
            ("data set", block.datasets, loaded.datasets),
            ("model", block.models, loaded.models),
        ):
            if unknown := [name for name in names if name not in known]:
                raise UserError(f"{path}: {what} {unknown[0]!r} isn't in params.yaml")
    return plan.blocks


def _lay_out(study: str, blocks: list[Block], origin: dict[str, str]) -> None:
    """A folder that the stages take for the project's root."""
    place = WORK / study
    place.mkdir(parents=True, exist_ok=True)
    tree = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    recipe, by = blocks[0].recipe, blocks[0].by
    tree["recipes"][recipe]["folds"]["by"] = by
    tree["run"] = {
        "datasets": list(dict.fromkeys(name for block in blocks for name in block.datasets)),
        "models": list(dict.fromkeys(name for block in blocks for name in block.models)),
        "recipe": recipe,
    }
    (place / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    write_json(place / "origin.json", origin)
    for shared in ("catalog", "expectations"):
        if not (place / shared).exists():
            (place / shared).symlink_to(ROOT / shared)


def _command(stage: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{stage}", *words]


def _environment() -> dict[str, str]:
    incoming = os.environ.get("MULTIRESUNET_DATA") or str(Path("data/incoming").resolve())
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "MULTIRESUNET_DATA": str(Path(incoming).resolve())}


def _here(study: str, stage: str, *words: str) -> None:
    if subprocess.run(_command(stage, *words), cwd=WORK / study, env=_environment()).returncode:
        raise UserError(f"{study}: {stage} {' '.join(words)} failed, as said above")


def _until(deadline: float, job: Job, stage: str) -> bool:
    """Run a stage, and stop it when the time is up: training then saves its state. Whether it was stopped."""
    with subprocess.Popen(_command(stage, job.dataset, job.model), cwd=job.place, env=_environment()) as process:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(MERCY)
            except subprocess.TimeoutExpired:
                process.kill()
            return True
    if process.returncode:
        raise UserError(f"{job.study}: {stage} {job.dataset} {job.model} failed, as said above")
    return False


def _record(job: Job, times: dict[str, float]) -> None:
    """Where a result comes from, and how fast it was made."""
    recipe = config.load(job.place / "params.yaml").recipe
    prepared = job.place / PREPARED / job.dataset
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    epochs = pd.read_csv(job.place / ".state/seconds" / f"{job.dataset}-{job.model}.csv")
    table = pd.read_csv(prepared / "samples.csv")
    trained = sum(len(table) - count for count in table["fold"].value_counts()) * recipe.epochs
    write_json(
        _record_of(job),
        {
            **json.loads((job.place / "origin.json").read_text(encoding="utf-8")),
            "data": {path.name: sha256(path) for path in sorted(prepared.iterdir())},
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU",
            "driver": _driver() if device.type == "cuda" else "",
            "torch": torch.__version__,
            "python": platform.python_version(),
            "precision": recipe.precision,
            "deterministic": recipe.deterministic or device.type == "cpu",
            "seconds": {stage: round(seconds, 1) for stage, seconds in times.items()},
            "training_images_per_second": round(trained / float(epochs["seconds"].sum()), 1),
        },
    )


def _record_of(job: Job) -> Path:
    return job.place / "provenance" / f"{job.dataset}-{job.model}.json"


def _driver() -> str:
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _packed(job: Job) -> list[Path]:
    tuned = job.place / "data/tuned" / job.dataset / job.model
    facts = job.place / "data/validated" / job.dataset
    return [job.place / "params.yaml", job.place / "origin.json", job.place / PREPARED / job.dataset, facts, tuned]


def _result(job: Job) -> list[Path]:
    return [
        job.place / PREDICTED / job.dataset / job.model,
        job.place / TRAINED / job.dataset / job.model / "history.csv",
        _record_of(job),
        *job.place.glob(f".state/*/{job.dataset}-{job.model}.csv"),
    ]


def _link_twins(folders: list[Path]) -> None:
    """Let files that are the same be one: the images of two ways of folding needn't travel twice."""
    first: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.iterdir())):
        twin = first.setdefault(sha256(path), path)
        if not twin.samefile(path):
            path.unlink()
            path.hardlink_to(twin)


def _archive(target: Path, places: list[Path]) -> None:
    """Write the files, and those of the folders, under their paths in .state/lent; replaced in one step."""
    files = [f for p in places for f in ([p] if p.is_file() else sorted(f for f in p.rglob("*") if f.is_file()))]
    draft = target.with_name(f".{target.name}.draft")
    with tarfile.open(draft, "w:xz") as archive:
        for file in dict.fromkeys(files):
            archive.add(file, file.relative_to(WORK))
    draft.replace(target)


def _unpack(archives: list[Path]) -> None:
    for path in archives:
        try:
            with tarfile.open(path) as archive:
                # Python before 3.11.4 has no filters, so what we never pack is refused here.
                for member in archive:
                    inside = Path(member.name)
                    if not member.isfile() or inside.is_absolute() or ".." in inside.parts:
                        raise tarfile.TarError(f"holds {member.name!r}, which isn't a file in it")
                archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
                archive.extractall(WORK)
        except FileNotFoundError:
            raise UserError(f"{path}: this file is missing; `python -m flows.lent pack` makes packed.tar.xz") from None
        except tarfile.TarError as error:
            raise UserError(f"{path}: damaged ({error}); fetch it again") from None


def _partial(blocks: list[Block], target: Path) -> None:
    """The history of each finished fold of unfinished jobs, from the state that training has saved."""
    parts = []
    for job in (job for job in jobs(blocks) if not job.done):
        epochs = config.load(job.place / "params.yaml").recipe.epochs
        for path in sorted(job.place.glob(".state/train/*/fold*.pt")):
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["names"][:2] == [job.dataset, job.model] and len(state["history"]) == epochs:
                history = pd.DataFrame(state["history"], columns=[field.name for field in fields(Epoch)])
                about = {"study": job.study, "dataset": job.dataset, "model": job.model}
                parts.append(history.assign(fold=path.stem.removeprefix("fold"), **about))
    if parts:
        write_csv(target, pd.concat(parts))


def _keep(study: str, target: Path, finished: list[Job]) -> None:
    """Keep a study's parameters, tables and figures, and where each job's result comes from."""
    place = WORK / study
    kept = [place / "params.yaml", *(place / "metrics").iterdir(), *(place / "reports/figures").iterdir()]
    with replacing(target) as draft:
        for path in sorted(kept):
            shutil.copyfile(path, draft / path.name)
        history = [place / TRAINED / job.dataset / job.model / "history.csv" for job in finished]
        about = [{"dataset": job.dataset, "model": job.model} for job in finished]
        write_csv(
            draft / "history.csv",
            pd.concat([pd.read_csv(path).assign(**names) for path, names in zip(history, about, strict=True)]),
        )
        records = {f"{job.dataset}-{job.model}": json.loads(_record_of(job).read_text("utf-8")) for job in finished}
        write_json(draft / "provenance.json", records)


def main() -> None:
    """The command line; an error that a user can mend is one line."""
    try:
        app()
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
