"""How many multiply-adds take the time of writing one value? `python -m benchmarks.work`

Fits processor seconds of a training step per image, of all networks and two sizes on one thread, by

    seconds = a · multiply-adds + b · values + c

without negative factors, relative errors counting alike (c is what a step takes however small), and prints b / a:
`MULTIPLY_ADDS_PER_VALUE` of `multiresunet/nets/cost.py`. The networks take turns and each keeps its fastest turn, since
other work slows all.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from scipy.optimize import nnls

from multiresunet.nets import NetworkSpec, build_network
from multiresunet.nets.cost import Cost, cost
from multiresunet.registries import NETWORKS

CASES = [(side, filters, batch) for side, filters, batch in ((48, 8, 4), (96, 16, 4))]
TURNS = 5


def step_seconds(network: torch.nn.Module, images: torch.Tensor, masks: torch.Tensor) -> float:
    """Processor seconds of one training step."""
    since = time.process_time()
    network.zero_grad()
    torch.nn.functional.binary_cross_entropy_with_logits(network(images), masks).backward()
    return time.process_time() - since


def main() -> None:
    """Measure, fit, print."""
    torch.set_num_threads(1)
    measured: list[tuple[str, Cost, float]] = []
    for side, filters, batch in CASES:
        images, masks = torch.rand(batch, 1, side, side), torch.ones(batch, 1, side, side)
        networks = {name: build_network(NetworkSpec(name, 2, 1, filters=filters)).train() for name in NETWORKS}
        fastest = dict.fromkeys(networks, float("inf"))
        for _ in range(TURNS):
            for name, network in networks.items():
                fastest[name] = min(fastest[name], step_seconds(network, images, masks))
        for name, network in networks.items():
            measured.append((f"{name} {side}", cost(network, 1, (side, side)), fastest[name] / batch))
    counted = np.array([[one.multiply_adds, one.values, 1.0] for _, one, _ in measured])
    seconds = np.array([taken for *_, taken in measured])
    (a, b, c), _ = nnls(counted / seconds[:, None], np.ones(len(seconds)))
    for (name, one, taken), fitted in zip(measured, counted @ [a, b, c], strict=True):
        counts = f"{one.multiply_adds / 1e6:8.1f} M{one.values / 1e6:7.2f} M"
        print(f"{name:24}{counts}{1e3 * taken:8.2f} ms, fitted{1e3 * fitted:8.2f} ms")
    print(f"multiply-adds per value: {b / a:.0f}")


if __name__ == "__main__":
    main()
