"""A folder as a data set: images/, masks/, and perhaps manifest.csv; or one of the known layouts."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from multiresunet.data import manifest
from multiresunet.data.filing import hash_of, is_there, moves, place, stays_inside
from multiresunet.data.manifest import JOIN, Sample, composed, folded, parts, sample_name
from multiresunet.data.readers.several import is_image_folder, is_litter, without_companions
from multiresunet.data.sources import layouts
from multiresunet.errors import UserError
from multiresunet.files import some_of
from multiresunet.paths import INCOMING

ENVIRONMENT = "MULTIRESUNET_DATA"


def locate(path: str) -> Path:
    """The data set's folder, under $MULTIRESUNET_DATA if that is set and has it, or else under data/incoming/.

    Raises:
        UserError: if there is none.
    """
    folder = _place(path)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: this folder is missing; put the data there, or set {ENVIRONMENT} to where {path}/ is"
        )
    return folder


def is_at_hand(path: str) -> bool:
    """Whether the data set's folder exists on this machine."""
    return _place(path).is_dir()


def scan(folder: Path, layout: str | None = None) -> list[Sample]:
    """Pair images with masks, and hash every file.

    Pairs come from the layout, if one is named, or from manifest.csv, or else from names that are the same but for the
    extension. Checksums in the manifest are checked.

    Raises:
        UserError: naming the files that are missing, have no partner, lie elsewhere, or aren't what the manifest says.
    """
    listed = _listed(folder, layout)
    if not listed:
        raise UserError(f"{folder}: there is no image in it; put images into images/ and masks into masks/")
    paths = [path for s in listed for cell in (s.image, s.mask) for path in parts(cell)]
    missing = [path for path in paths if not is_there(folder / path)]
    if missing:
        raise UserError(
            f"{folder}: missing {some_of(missing)}; put back, or take out its partner and its manifest line"
        )
    root = folder.resolve()
    outside = [path for path in paths if not stays_inside(folder / path, root)]
    if outside:
        raise UserError(f"{folder}: {some_of(outside)} is a link out of this folder; put the file itself there")
    hashed = [replace(s, image_sha256=hash_of(folder, s.image), mask_sha256=hash_of(folder, s.mask)) for s in listed]
    changed = [
        path
        for old, new in zip(listed, hashed, strict=True)
        for path, was, now in (
            (old.image, old.image_sha256, new.image_sha256),
            (old.mask, old.mask_sha256, new.mask_sha256),
        )
        if was and was != now
    ]
    if changed:
        raise UserError(
            f"{folder}: {some_of(changed)} doesn't have the SHA-256 that manifest.csv says; "
            "restore the file, or correct the manifest if the change is meant"
        )
    return hashed


def digest(samples: list[Sample]) -> str:
    """One SHA-256 for a whole folder: every path, content and group."""
    rows = ((s.sample, s.image, s.image_sha256, s.mask, s.mask_sha256, s.group) for s in sorted(samples))
    lines = ["\t".join(row) for row in rows]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check(folder: Path, samples: list[Sample], pinned: str, known: list[Sample] | None) -> None:
    """Compare a folder with the digest that params.yaml pins.

    Args:
        folder: for the message.
        samples: from `scan`.
        pinned: the digest.
        known: the samples that had the pinned digest, if they are on record.

    Raises:
        UserError: naming what changed, if `known` can tell, and the folder's digest.
    """
    found = digest(samples)
    if found == pinned:
        return
    what = (
        f"changed since its digest was pinned ({_difference(known, samples)})" if known else "not what its digest pins"
    )
    raise UserError(
        f"{folder}: {what}; restore it, or set the data set's source.digest to {found} if the change is meant"
    )


def copy(folder: Path, samples: list[Sample], target: Path) -> list[Sample]:
    """Copy the files to `target` as images/<sample>.<ext> and masks/<sample>.<ext>.

    Several files of one become images/<sample>/channel<n>.<ext>, or masks/<sample>/instance<n>.<ext>, counted from 0.
    A header and its data file keep their names, in a folder; a folder that is one image stays one.
    """
    copied = []
    for s in samples:
        places = {}
        for role, part in (("image", "channel"), ("mask", "instance")):
            files = parts(getattr(s, role))
            names = [None] if len(files) == 1 else [f"{part}{n}" for n in range(len(files))]
            to = [
                place(f"{role}s", s.sample, folder / file, inside=name) for name, file in zip(names, files, strict=True)
            ]
            for file, goal in zip(files, to, strict=True):
                for source, copy_of_it in moves(folder / file, target / goal):
                    copy_of_it.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, copy_of_it)
            places[role] = JOIN.join(to)
        copied.append(replace(s, **places))
    return copied


def _instances(path: Path) -> list[Path]:
    """The files of masks/<sample>/, one an instance; none if it holds anything else."""
    entries = without_companions([entry for entry in sorted(path.iterdir()) if not is_litter(entry)])
    return entries if all(entry.is_file() for entry in entries) else []


def _place(path: str) -> Path:
    roots = [Path(os.environ[ENVIRONMENT])] if os.environ.get(ENVIRONMENT) else []
    places = [root / path for root in (*roots, INCOMING)]  # the second is where `data add` links files to
    return next((place for place in places if place.is_dir()), places[0])


def _listed(folder: Path, layout: str | None) -> list[Sample]:
    if layout is not None:
        return layouts.FOLDERS[layout](folder)
    return manifest.read(folder) if (folder / manifest.NAME).exists() else _pair_by_name(folder)


def _pair_by_name(folder: Path) -> list[Sample]:
    found: dict[str, dict[str, str]] = {"images": {}, "masks": {}}
    known: dict[tuple[str, str], str] = {}
    for role, names in found.items():
        if not (folder / role).is_dir():
            raise UserError(f"{folder / role}: this folder is missing; images belong into images/, masks into masks/")
        entries = [path for path in sorted((folder / role).iterdir()) if not is_litter(path)]
        for path in without_companions(entries):
            whole = is_image_folder(path)
            several = _instances(path) if path.is_dir() and not whole and role == "masks" else []
            if path.is_dir() and not whole and not several:
                raise UserError(f"{path}: a folder among the files; move its files up, or list them in {manifest.NAME}")
            name = composed(path.name if several or (whole and not path.suffix) else sample_name(path.name))
            if (other := known.get((role, folded(name)))) is not None:
                raise UserError(f"{path}: {other} has the same name but for the extension; rename one")
            known[role, folded(name)] = path.name
            places = [f"{role}/{path.name}/{file.name}" for file in several] or [f"{role}/{path.name}"]
            if any(JOIN in each for each in places):
                raise UserError(f"{path}: {JOIN!r} in a name would part one file into two; rename the file")
            names[name] = JOIN.join(places)
    images, masks = found["images"], found["masks"]
    for role, partners, lone in (
        ("image", "masks", sorted(images.keys() - masks.keys())),
        ("mask", "images", sorted(masks.keys() - images.keys())),
    ):
        if lone:
            files = some_of([found[f"{role}s"][name] for name in lone])
            raise UserError(
                f"{folder}: {files} has no partner of the same name in {partners}/; add it or take the {role} out"
            )
    manifest.check_names(folder, images)
    return [Sample(name, images[name], masks[name]) for name in sorted(images)]


def _difference(old: list[Sample], new: list[Sample]) -> str:
    before = {path: h for s in old for path, h in ((s.image, s.image_sha256), (s.mask, s.mask_sha256))}
    after = {path: h for s in new for path, h in ((s.image, s.image_sha256), (s.mask, s.mask_sha256))}
    parts = {
        "changed": sorted(path for path in before.keys() & after.keys() if before[path] != after[path]),
        "gone": sorted(before.keys() - after.keys()),
        "new": sorted(after.keys() - before.keys()),
    }
    return "; ".join(f"{word}: {some_of(paths)}" for word, paths in parts.items() if paths) or "groups or pairs differ"
