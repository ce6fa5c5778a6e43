"""A catalog of files on the web, each pinned by its SHA-256."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pandas as pd

from multiresunet.config import Fetch
from multiresunet.data import manifest
from multiresunet.data.manifest import Sample, extension
from multiresunet.data.sources.download import fetch_files
from multiresunet.data.sources.transfer import Remote
from multiresunet.errors import UserError
from multiresunet.files import sha256

COLUMNS = ("sample", "role", "group", "url", "bytes", "sha256")
FORMS = {  # what a column may hold, and how to say it
    "bytes": ("[0-9]+", "a whole number"),
    "sha256": ("[0-9a-f]{64}", "64 hexadecimal digits in lower case"),
    "url": ("https?://[^\\s]+", "a URL that starts with https://"),
}


def read_catalog(path: Path, pinned: str) -> pd.DataFrame:
    """Read a catalog (sample, role, group, url, bytes, sha256) and check its own SHA-256.

    Raises:
        UserError: if it is missing, changed, or lacks a column or a role.
    """
    if not path.is_file():
        raise UserError(f"{path}: this catalog is missing; restore it from git")
    found = sha256(path)
    if found != pinned:
        raise UserError(f"{path}: its SHA-256 is {found}, params.yaml pins {pinned}; restore it, or pin the new one")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); fix it") from None
    if list(table.columns) != list(COLUMNS):
        raise UserError(f"{path}: columns are {', '.join(table.columns)}, expected {', '.join(COLUMNS)}")
    if table.empty:
        raise UserError(f"{path}: this catalog lists no file; give each sample an image and a mask")
    manifest.check_names(path, table["sample"])
    for column, (form, words) in FORMS.items():
        odd_cells = table.loc[~table[column].str.fullmatch(form), ["sample", column]]
        if len(odd_cells):
            sample, cell = odd_cells.iloc[0]
            raise UserError(f"{path}: {column} of sample {sample!r} is {cell!r}; write {words}")
    roles = table.groupby("sample")["role"].agg(lambda r: ",".join(sorted(r)))
    odd = sorted(roles.index[roles != "image,mask"])
    if odd:
        raise UserError(f"{path}: sample {odd[0]!r} has {roles[odd[0]]}, expected one image and one mask")
    groups = table.groupby("sample")["group"].nunique()
    if (groups > 1).any():
        raise UserError(f"{path}: sample {groups.idxmax()!r} is in two groups; give its image and its mask the same")
    return table


def fetch(catalog: pd.DataFrame, store: Path, target: Path, settings: Fetch) -> list[Sample]:
    """Download every file of a catalog to `target` as images/<sample>.<ext> and masks/<sample>.<ext>.

    Args:
        catalog: from `read_catalog`.
        store: folder that keeps downloads between runs.
        target: folder of the data set.
        settings: connections and mirror.

    Raises:
        UserError: naming the URL that can't be downloaded, or whose content isn't the catalog's.
    """
    rows = catalog.to_dict("records")
    kept = fetch_files((Remote(row["url"], row["sha256"], int(row["bytes"])) for row in rows), store, settings)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        role = row["role"]
        place = f"{role}s/{row['sample']}{extension(httpx.URL(row['url']).path)}"
        (target / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(kept[row["sha256"]], target / place)
        found.setdefault(row["sample"], {"group": row["group"]}).update({role: place, f"{role}_sha256": row["sha256"]})
    return [Sample(sample=name, **cells) for name, cells in sorted(found.items())]
