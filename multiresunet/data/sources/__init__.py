"""Where data sets come from: phantoms, folders, catalogs of URLs, archives. From here on they are all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from multiresunet.config import ArchiveSource, Dataset, Fetch, FolderSource, HttpSource, PhantomSource
from multiresunet.data import manifest, readers
from multiresunet.data.manifest import Sample
from multiresunet.data.sources import archive, catalog, folder
from multiresunet.data.sources.download import fetch_files
from multiresunet.data.sources.transfer import Remote
from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256

DOWNLOADS = "downloads"


def fetch(dataset: Dataset, target: Path, state: Path, settings: Fetch | None = None) -> list[Sample]:
    """Write a data set's images/ and masks/ into the existing folder `target`.

    Args:
        dataset: its entry of params.yaml.
        target: an empty folder.
        state: folder that is kept between runs, for downloads and known folders.
        settings: how to download; not needed for other sources.

    Raises:
        UserError: in one line, what is wrong with the source.
    """
    settings = settings or Fetch()
    match dataset.source:
        case PhantomSource() as source:
            return _draw(source, target)
        case FolderSource() as source:
            return folder.copy(folder.locate(source.path), checked(source, state), target)
        case HttpSource() as source:
            pinned = catalog.read_catalog(Path(source.catalog), source.sha256)
            return catalog.fetch(pinned, state / DOWNLOADS, target, settings)
        case ArchiveSource() as source:
            files = [Remote(file.url, file.sha256) for file in source.files]
            kept = fetch_files(files, state / DOWNLOADS, settings)
            return archive.unpack({file.url: kept[file.sha256] for file in files}, source.layout, target)


def checked(source: FolderSource, state: Path) -> list[Sample]:
    """Scan a folder and compare it with its pinned digest; remember its files for the next time.

    Raises:
        UserError: naming the files that are missing or changed.
    """
    place = folder.locate(source.path)
    samples = folder.scan(place, source.layout)
    if source.digest is None:
        raise UserError(
            f"{place}: no digest is pinned yet; set the data set's source.digest to {folder.digest(samples)}"
        )
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
    from multiresunet.data.sources import phantom  # here, since scipy takes half a second

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
            readers.write_image(target / path, array)
        hashes = {f"{role}_sha256": sha256(target / getattr(sample, role)) for role in ("image", "mask")}
        samples.append(replace(sample, **hashes))
    return samples
