"""The files that services are started from: they name settings, addresses and volumes that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag.settings import PREFIX, Settings, load_settings
from service.app import create_app
from tests.conftest import settings_for

ROOT = Path(__file__).parent.parent
COMPOSE = ("compose.yaml", "compose.milvus.yaml")
MANIFEST = list(yaml.safe_load_all((ROOT / "service" / "kubernetes.yaml").read_text("utf-8")))


def plain(value: str) -> str:
    """A value as Compose would put it in: what is named, else what stands for it."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def compose(name: str) -> Any:
    return yaml.safe_load((ROOT / "service" / name).read_text("utf-8"))


def environments() -> Iterator[Mapping[str, str]]:
    for name in COMPOSE:
        yield {key: plain(value) for key, value in compose(name)["services"]["whosays"]["environment"].items()}
    yield next(part["data"] for part in MANIFEST if part["kind"] == "ConfigMap")


@pytest.mark.parametrize("environ", environments())
def test_what_is_set_are_settings(environ: Mapping[str, str], tmp_path: Path) -> None:
    assert any(name.startswith(PREFIX) for name in environ)
    assert load_settings(environ, tmp_path) != Settings()


@pytest.mark.parametrize("name", COMPOSE)
def test_every_volume_and_file_of_a_composition_is_there(name: str) -> None:
    whole = compose(name)
    for service in whole["services"].values():
        for volume in service.get("volumes", []):
            source = plain(volume).split(":")[0]
            assert source in whole["volumes"] or (ROOT / "service" / source).is_dir()
        assert {config["source"] for config in service.get("configs", [])} <= whole.get("configs", {}).keys()
        assert set(service.get("depends_on", [])) <= whole["services"].keys()


def pods() -> Iterator[tuple[str, Any]]:
    for part in MANIFEST:
        spec = part.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield part["kind"], spec["template"]


@pytest.mark.parametrize(("kind", "pod"), pods())
def test_every_volume_of_a_pod_is_there(kind: str, pod: Any) -> None:
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
    maps = {part["metadata"]["name"] for part in MANIFEST if part["kind"] == "ConfigMap"}
    for container in pod["spec"]["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes, kind
        assert {source["configMapRef"]["name"] for source in container["envFrom"]} <= maps


def test_kubernetes_asks_addresses_that_there_are(tmp_path: Path) -> None:
    deployment = next(part for part in MANIFEST if part["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    port = container["ports"][0]
    paths = create_app(settings_for(tmp_path / "index")).openapi()["paths"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths
        assert asked["port"] == port["name"]
    assert port["containerPort"] == Settings().service.port
    service = next(part for part in MANIFEST if part["kind"] == "Service")
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    named = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == named
    scaled = next(part for part in MANIFEST if part["kind"] == "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", deployment["metadata"]["name"])
