"""What a prepared data set says of itself."""

from __future__ import annotations

import pandas as pd
import pytest

from multiresunet.data.description import MEASURED, describe
from tests.data.making import declared


def test_resampled_to_a_spacing_a_pixel_spans_what_the_files_say() -> None:
    facts = pd.DataFrame(
        {
            "image_shape": ["64×64×16"] * 3,
            "spacing": ["0.5×0.5×4", "0.5×0.25×4", "1×0.5×2"],
            "type": ["uint16", "int16", "uint16"],
            **dict.fromkeys(MEASURED, 1.0),
        }
    )
    dataset = declared(size=[32, 32, 48], fit="spacing", spacing=[1.0, 1.0, 1.0], normalisation="zscore")
    found = describe("ct", dataset, (32, 32, 48), facts, None)
    assert found.scale == pytest.approx((2.0, 2.0, 0.25))
    assert found.spacings == ((0.5, 1.0), (0.25, 0.5), (2.0, 4.0))
    assert found.types == ("int16", "uint16")
    assert found.pages is None


def test_it_says_what_the_pages_of_a_tiff_are() -> None:
    facts = pd.DataFrame({"image_shape": ["64×64"], **dict.fromkeys(MEASURED, 1.0)})
    assert describe("two", declared(channels=2, pages="channels"), (32, 32), facts, None).pages == "channels"
