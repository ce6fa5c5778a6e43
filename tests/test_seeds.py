"""Seeds come from names, and from nothing else."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.seeds import generator_for, seed_for


def test_a_seed_is_the_same_for_ever() -> None:
    # int.from_bytes(sha256(b"2020:nuclei:folds").digest()[:4], "big"), computed apart from the code.
    assert seed_for(2020, "nuclei", "folds") == 4109796809


@given(seed=st.integers(0, 10**12), names=st.lists(st.one_of(st.text(), st.integers()), max_size=4))
def test_seeds_fit_into_32_bits(seed: int, names: list[str | int]) -> None:
    assert 0 <= seed_for(seed, *names) < 2**32


def test_every_name_and_their_order_count() -> None:
    seeds = [
        seed_for(seed, *names)
        for seed in (1, 2)
        for names in (("nuclei", 1), ("nuclei", 2), ("polyps", 1), ("nuclei", 11), ("nuclei",), (1, "nuclei"))
    ]
    assert len(set(seeds)) == len(seeds)


def test_generators_do_not_touch_each_other_or_the_global_state() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, other = generator_for(1, "a"), generator_for(1, "b")
    torch.rand(5, generator=other)
    assert torch.equal(torch.rand(3, generator=one), torch.rand(3, generator=generator_for(1, "a")))
    assert not torch.equal(
        torch.rand(3, generator=generator_for(1, "a")), torch.rand(3, generator=generator_for(1, "b"))
    )
    assert torch.equal(torch.get_rng_state(), before)
