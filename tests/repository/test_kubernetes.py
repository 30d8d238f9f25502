"""The manifests of deploy/kubernetes: valid, hardened, and the same processes as Compose runs.

No cluster runs here: what is checked is what stands in the files.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shared.config import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml"))
#: Of kinds that a cluster knows only with an operator of its own.
EXTENSIONS = {"ScaledObject"}
#: What the image reads, besides our own settings.
OTHERS = {"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE", "REMAP_SIGTERM"}
KNOWN = {field.alias for field in Settings.model_fields.values()}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """By the component that they are."""
    for name in FILES:
        for document in documents(name):
            if "template" in document.get("spec", {}):
                component = document["metadata"]["labels"]["app.kubernetes.io/component"]
                yield component, document["spec"]["template"]["spec"]


def main_container(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["containers"][0]
    return found


PODS = dict(pods())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("name", FILES)
def test_every_manifest_is_valid(name: str) -> None:
    for document in documents(name):
        if document["kind"] not in EXTENSIONS:
            kubernetes_validate.validate(document, "1.34", strict=True)


def test_the_same_processes_run_as_in_compose() -> None:
    assert set(PODS) == {
        name for name, service in COMPOSE.items() if "pressroom" in service.get("image", "")
    }
    for component, pod in PODS.items():
        theirs = [_without_defaults(part) for part in COMPOSE[component]["command"]]
        assert main_container(pod)["command"] == theirs, component


def _without_defaults(part: str) -> str:
    """As Compose runs it where nothing is set."""
    return re.sub(r"\$\{\w+:-(\w+)\}", r"\1", part).replace("$$", "$")


@pytest.mark.parametrize("component", PODS)
def test_a_pod_may_do_little_and_has_bounds(component: str) -> None:
    pod = PODS[component]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"memory"} <= set(container["resources"]["limits"])
        assert container["image"] == main_container(pod)["image"]


@pytest.mark.parametrize("component", PODS)
def test_a_pod_has_the_secrets_that_it_uses_and_no_others(component: str) -> None:
    [mounted] = [each["secret"] for each in PODS[component]["volumes"] if "secret" in each]
    assert {item["key"] for item in mounted["items"]} == set(COMPOSE[component]["secrets"])


@pytest.mark.parametrize("component", PODS)
def test_every_setting_is_one_that_is_read(component: str) -> None:
    [settings] = documents("settings.yaml")
    container = main_container(PODS[component])
    named = {entry["name"] for entry in container["env"]} | set(settings["data"])
    unknown = {name for name in named if name.removesuffix("_FILE") not in KNOWN}
    assert unknown <= OTHERS


def test_what_is_scaled_by_is_measured() -> None:
    source = "".join(path.read_text() for path in (ROOT / "web/metrics").glob("*.py"))
    for document in documents("optional/scaling.yaml"):
        assert document["spec"]["scaleTargetRef"]["name"].removeprefix("pressroom-") in PODS
        [trigger] = document["spec"]["triggers"]
        [metric] = re.findall(r"pressroom_(\w+)", trigger["metadata"]["query"])
        assert f'"{metric}"' in source
