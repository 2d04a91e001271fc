"""The container files: valid by their schemas, and with flags that the command knows."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from nginx import NGINX
from sites import EXAMPLES

from cppasgi.command.options import OptionParser

FOLDER = EXAMPLES / "containers"
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def schema_check(*arguments):
    command = [sys.executable, "-m", "check_jsonschema", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_compose_file():
    """I7 in a container: compose.yaml is what the Compose Specification has."""
    result = schema_check("--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml")
    assert result.returncode == 0, result.stdout
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert set(services) == {"site", "migration", "redis", "nginx"}


def test_compose_schema_finds_mistakes(tmp_path):
    wrong = (FOLDER / "compose.yaml").read_text().replace("restart:", "restarts:")
    (tmp_path / "compose.yaml").write_text(wrong)
    result = schema_check("--builtin-schema", "vendor.compose-spec", tmp_path / "compose.yaml")
    assert result.returncode != 0


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_kubernetes_manifest(manifest):
    """Valid for Kubernetes, with nothing that the schema doesn't know."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(manifest, "1.30", strict=True)
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.30", strict=True)


def test_flags_are_flags():
    container = MANIFESTS[0]["spec"]["template"]["spec"]["containers"][0]
    image = (FOLDER / "Containerfile").read_text()
    command = json.loads(re.search(r"^CMD (\[.*?\])", image, re.M | re.S)[1].replace("\\\n", ""))
    for program, *arguments in (container["args"], command):
        assert program == "cppasgi"
        options = OptionParser("").parse_args(arguments)
        assert options.application == "verihome.asgi:application"
        assert options.metrics is not None
    options = OptionParser("").parse_args(container["args"][1:])
    grace = MANIFESTS[0]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > options.drain_delay + options.graceful_timeout + 2.5


def test_nginx_file(tmp_path):
    text = (FOLDER / "nginx.conf").read_text().replace("server site:8000", "server 127.0.0.1:8000")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/nginx.pid;\n{text}")
    command = [NGINX, "-t", "-e", str(tmp_path / "log"), "-p", str(tmp_path), "-c", "nginx.conf"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_image_has_what_the_wheel_is_built_from():
    """Every file and folder that the build reads is copied."""
    image = (FOLDER / "Containerfile").read_text()
    for path in re.findall(r"^COPY (?!--from)(.+) \S+$", image, re.M):
        for source in path.split():
            assert (EXAMPLES.parent / source).exists(), source
