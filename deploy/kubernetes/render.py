"""Renders kustomize folders with the first renderer that the machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TypeAlias

import yaml

HERE = Path(__file__).parent
BASE = HERE / "base"
# Built from source with its checksums when there is neither kubectl nor kustomize: minutes once, then cached by Go.
_GO_TOOL = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"
_WITHIN_SECONDS = 900.0

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Manifest: TypeAlias = dict[str, Value]


class RenderError(RuntimeError):
    """The machine has no renderer, or a folder cannot be rendered; the message says which and why."""


def folders() -> list[Path]:
    """The base and every overlay."""
    return [BASE, *sorted(path.parent for path in (HERE / "overlays").glob("*/kustomization.yaml"))]


@cache
def render(folder: Path) -> list[Manifest]:
    """The objects that a folder renders to. Raises `RenderError`."""
    argv = [*_renderer(), str(folder)]
    # Go builds the tool without C, so that no compiler is needed beside it.
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(  # noqa: S603
        argv, capture_output=True, text=True, env=environment, timeout=_WITHIN_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RenderError(f"{' '.join(argv)}:\n{done.stderr.strip()}")
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def _renderer() -> list[str]:
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    if go := shutil.which("go"):
        return [go, "run", _GO_TOOL, "build"]
    raise RenderError("Nothing here renders kustomize: install kubectl, kustomize, or Go 1.24 or newer.")
