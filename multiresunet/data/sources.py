"""Where data sets come from; the same thing from here on, whatever it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from multiresunet.data import folder, formats, http, manifest, phantom
from multiresunet.data.manifest import Sample
from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256
from multiresunet.params import Dataset, FolderSource, HttpSource, PhantomSource


def bring(dataset: Dataset, target: Path, state: Path) -> list[Sample]:
    """Write a data set's images/ and masks/ into the existing folder `target`.

    Args:
        dataset: its entry of params.yaml.
        target: an empty folder.
        state: folder that is kept between runs, for broken downloads and known folders.

    Raises:
        UserError: in one line, what is wrong with the source.
    """
    match dataset.source:
        case PhantomSource() as source:
            return _draw(source, target)
        case FolderSource() as source:
            return folder.copy(folder.locate(source.path), checked(source, state), target)
        case HttpSource() as source:
            catalog = http.read_catalog(Path(source.catalog), source.sha256)
            return http.download(catalog, state / "downloads", target)


def checked(source: FolderSource, state: Path) -> list[Sample]:
    """Survey a folder and hold it against its pinned digest; remember its files for the next time.

    Raises:
        UserError: naming the files that are missing or changed.
    """
    place = folder.locate(source.path)
    samples = folder.survey(place)
    record = state / "folders" / source.digest
    if folder.digest(samples) != source.digest:
        folder.check(place, samples, source.digest, _recorded(record))
    if not record.is_dir():
        with replacing(record) as draft:
            manifest.write(draft, samples)
    return samples


def _recorded(record: Path) -> list[Sample] | None:
    try:
        return manifest.read(record)
    except UserError:  # none, or a damaged one: the message says less, that is all
        return None


def _draw(source: PhantomSource, target: Path) -> list[Sample]:
    samples = []
    for drawn in phantom.draw(source.draw, source.samples, source.seed):
        extension = "png" if drawn.mask.ndim == 2 else "nii"
        sample = Sample(
            drawn.sample,
            f"images/{drawn.sample}.{extension}",
            f"masks/{drawn.sample}.{extension}",
            drawn.group,
        )
        for path, array in ((sample.image, drawn.image), (sample.mask, drawn.mask)):
            (target / path).parent.mkdir(exist_ok=True)
            formats.write_image(target / path, array)
        hashes = {f"{role}_sha256": sha256(target / getattr(sample, role)) for role in ("image", "mask")}
        samples.append(replace(sample, **hashes))
    return samples
