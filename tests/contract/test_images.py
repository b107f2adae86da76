"""The image of the services is built with the project's own tools, and runs as whom the manifests say."""

import re

from deploy.kubernetes.render import BASE
from tests.contract.source_tree import ROOT
from tests.support.manifests import Rendered

DOCKERFILE = (ROOT / "deploy/images/Dockerfile").read_text()


def stated(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_image_is_built_with_the_projects_uv() -> None:
    pinned = stated(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text())
    assert stated(r"^ARG UV_VERSION=(\S+)$", DOCKERFILE) == pinned


def test_the_image_runs_as_whom_the_manifests_say() -> None:
    context = Rendered.of(BASE).workloads[0].pod["securityContext"]
    assert stated(r"^USER (\S+)$", DOCKERFILE) == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_what_a_service_imports_is_in_the_image() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.MULTILINE))
    assert copied == {"proto", "chassis", "clients", "services"}
