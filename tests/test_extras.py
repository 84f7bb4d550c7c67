"""Advice on extras fits how the package was installed."""

import json

import pytest

from coterie.internal import extras

ORIGINS = {
    "editable": (
        {"url": "file:///home/me/my%20code", "dir_info": {"editable": True}},
        "pip install -e '/home/me/my code[wandb]'",
    ),
    "folder": ({"url": "file:///src", "dir_info": {}}, "pip install '/src[wandb]'"),
    "registry": (None, "pip install 'coterie[wandb]'"),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_the_advice_fits_the_installation(case, monkeypatch):
    origin, advice = ORIGINS[case]

    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return json.dumps(origin) if origin else None

    monkeypatch.setattr(extras, "distribution", lambda name: Installed())
    assert extras.install("wandb") == advice
