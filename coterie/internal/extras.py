"""Advice on installing an optional dependency, which fits how Coterie was installed."""

import json
from importlib.metadata import distribution
from urllib.parse import unquote, urlparse


def install(extra: str) -> str:
    """Return the command that installs an extra, as `pip install 'coterie[wandb]'`.

    Of a package that was installed from a folder (`pip install -e .`), it names that folder.
    """
    origin = json.loads(distribution("coterie").read_text("direct_url.json") or "{}")
    url = urlparse(origin.get("url", ""))
    if url.scheme != "file":
        return f"pip install 'coterie[{extra}]'"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}'{unquote(url.path)}[{extra}]'"
