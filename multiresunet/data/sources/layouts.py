"""Where others have put images and masks: inside archives, by patterns; in folders, by functions that list samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from multiresunet.data import manifest
from multiresunet.data.manifest import JOIN, Sample
from multiresunet.errors import UserError

# Role → the path in the archive; what matches neither is no part of the data set, `._` files of macOS among it.
ARCHIVES: dict[str, dict[str, re.Pattern[str]]] = {
    "isic2018": {
        "image": re.compile(r"ISIC2018_Task1-2_Training_Input/(?P<sample>ISIC_\d{7})\.jpg"),
        "mask": re.compile(r"ISIC2018_Task1_Training_GroundTruth/(?P<sample>ISIC_\d{7})_segmentation\.png"),
    },
    "msd": {
        "image": re.compile(r"Task\d\d_\w+/imagesTr/(?P<sample>[^/.][^/]*)\.nii\.gz"),
        "mask": re.compile(r"Task\d\d_\w+/labelsTr/(?P<sample>[^/.][^/]*)\.nii\.gz"),
    },
}

BRATS_GRADES = ("HGG", "LGG")
BRATS_CHANNELS = ("flair", "t1", "t1ce", "t2")


def brats17(folder: Path) -> list[Sample]:
    """One sample for each case of {HGG,LGG}/<case>/<case>_{flair,t1,t1ce,t2,seg}.nii.gz.

    Raises:
        UserError: if there is no case, or two have the same name.
    """
    cases = {}
    for grade in BRATS_GRADES:
        for place in sorted((folder / grade).glob("[!.]*/")):
            if place.name in cases:
                raise UserError(f"{folder}: case {place.name!r} is in HGG and in LGG; take one out")
            cases[place.name] = f"{grade}/{place.name}/{place.name}"
    if not cases:
        raise UserError(f"{folder}: there is no HGG/<case>/ or LGG/<case>/ in it; unpack Brats17TrainingData as it is")
    manifest.check_names(folder, cases)
    return [
        Sample(name, JOIN.join(f"{stem}_{channel}.nii.gz" for channel in BRATS_CHANNELS), f"{stem}_seg.nii.gz")
        for name, stem in sorted(cases.items())
    ]


FOLDERS: dict[str, Callable[[Path], list[Sample]]] = {"brats17": brats17}
