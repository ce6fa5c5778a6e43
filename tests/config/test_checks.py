"""What sections of params.yaml say about each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from multiresunet import config
from tests.config.making import changed, refusal


def test_contradictions_of_several_models_are_named_at_once() -> None:
    tree = changed("recipes.quick.deep_supervision", {"weights": [0.5]})
    tree["tune"]["space"]["alpha"] = {"low": 0.1, "high": 2.0}
    tree["run"]["models"] = ["attention_unet", "multiresunet"]
    line = refusal(tree)
    assert "2 things to fix: (1) run.models: attention_unet" in line
    assert "(2) tune.space: model multiresunet:" in line


def test_a_network_in_this_folder_is_refused_where_no_stage_would_see_it_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mynet.py").touch()
    for network in ("mynet.Net", "multiresunet.data.Net"):
        tree = changed("models.attention_unet.network", network)
        tree["run"] |= {"models": ["attention_unet"], "tuned": {"datasets": [], "models": []}}
        line = refusal(tree)
        assert f"models.attention_unet.network: {network} lies in this folder" in line
        assert "put it into multiresunet/nets/" in line
    config.parse(changed("models.attention_unet.network", "multiresunet.nets.own.Net"))


def test_deep_supervision_is_refused_where_it_is_not_offered() -> None:
    tree = changed("run.models", ["multiresunet", "attention_unet"])
    config.parse(tree)
    tree["recipes"]["quick"]["deep_supervision"] = {"weights": [0.5]}
    line = refusal(tree)
    assert "attention_unet is the network monai.networks.nets.AttentionUnet" in line
    assert "recipes.quick.deep_supervision to null" in line
    tree["run"] |= {"models": ["unet"], "tuned": {"datasets": [], "models": []}}
    config.parse(tree)
