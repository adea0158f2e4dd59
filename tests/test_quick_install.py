"""Installing with uv what pip would install."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.quick_install import options, uv_variables

AS_PIP = {"UV_SYSTEM_CERTS": "1", "UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_the_options_are_those_that_hold_for_installing() -> None:
    listed = """
:env:.index-url='https://environment.example/simple'
download.index-url='https://download.example/simple'
global.index-url='https://global.example/simple'
global.find-links='\\n/first\\n/it\\'s'
global.timeout='60'
install.index-url='https://install.example/simple'
install.timeout='180'
"""
    assert options(listed) == {
        "index-url": "https://environment.example/simple",
        "find-links": "\n/first\n/it's",
        "timeout": "180",
    }


def test_without_a_configuration_nothing_but_pips_defaults_are_told() -> None:
    assert options("") == {}
    assert uv_variables({}) == AS_PIP


def test_where_packages_come_from_is_told() -> None:
    configured = {
        "index-url": "https://one.example/simple",
        "extra-index-url": "\nhttps://two.example/simple\nhttps://three.example/simple",
        "find-links": "/wheels /more",
        "constraint": "/pins.txt",
        "cert": "/authorities.pem",
        "default-timeout": "180",
        "progress-bar": "off",
        "config-file": "/pip.conf",
    }
    assert uv_variables(configured) == {
        **AS_PIP,
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_CONSTRAINT": "/pins.txt",
        "SSL_CERT_FILE": "/authorities.pem",
        "UV_HTTP_TIMEOUT": "180",
    }


@pytest.mark.parametrize("option", ["trusted-host", "proxy", "client-cert", "only-binary", "no-index", "target"])
def test_uv_is_not_asked_where_it_cannot_be_told_an_option(option: str) -> None:
    assert uv_variables({"index-url": "https://one.example/simple", option: "x"}) is None


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with two versions of `toy`; the folder above it is an index of packages that has them."""
    folder = tmp_path / "index" / "toy"
    folder.mkdir(parents=True)
    for version in ("1.0", "2.0"):
        name, about = f"toy-{version}-py3-none-any.whl", f"toy-{version}.dist-info"
        with zipfile.ZipFile(folder / name, "w") as wheel:
            wheel.writestr("toy.py", "")
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "toy.py,,\n")
        with (folder / "index.html").open("a") as index:
            index.write(f'<a href="{name}">{name}</a>')
    return folder


def installing(folder: Path, package: str = "toy", **configured: str) -> subprocess.CompletedProcess[str]:
    """Install a package into a new environment at `folder`, with pip configured so and an index without packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    nothing = folder / "nothing"
    nothing.mkdir()
    of_others = ("PIP_", "UV_", "PYTHON")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(of_others)}
    return subprocess.run(
        [folder / "bin" / "python", "-m", "tests.quick_install", package],
        env={
            **environ,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": nothing.as_uri(),
            "PYTHONPATH": sysconfig.get_path("purelib"),  # pip and uv are here
            "PYTHONDONTWRITEBYTECODE": "1",
            **configured,
        },
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def installed(folder: Path) -> tuple[str, str]:
    """What installed `toy` into the environment, and its version."""
    (note,) = folder.glob("lib/python*/site-packages/toy-*.dist-info/INSTALLER")
    return note.read_text().strip(), note.parent.name.removeprefix("toy-").removesuffix(".dist-info")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS"])
def test_uv_installs_from_where_pip_is_told_to(option: str, tmp_path: Path, wheels: Path) -> None:
    source = str(wheels) if option == "FIND_LINKS" else wheels.parent.as_uri()
    done = installing(tmp_path / "new", **{f"PIP_{option}": source})
    assert done.returncode == 0, done.stdout
    assert installed(tmp_path / "new") == ("uv", "2.0")


@pytest.mark.slow
def test_uv_keeps_to_the_versions_that_pip_is_told(tmp_path: Path, wheels: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("toy==1.0\n")
    done = installing(tmp_path / "new", PIP_FIND_LINKS=str(wheels), PIP_CONSTRAINT=str(pins))
    assert done.returncode == 0, done.stdout
    assert installed(tmp_path / "new") == ("uv", "1.0")


@pytest.mark.slow
def test_pip_installs_where_uv_cannot_be_told_all(tmp_path: Path, wheels: Path) -> None:
    done = installing(tmp_path / "new", PIP_FIND_LINKS=str(wheels), PIP_TRUSTED_HOST="one.example")
    assert done.returncode == 0, done.stdout
    assert installed(tmp_path / "new") == ("pip", "2.0")


@pytest.mark.slow
def test_pip_installs_where_uv_fails(tmp_path: Path, wheels: Path) -> None:
    divided = wheels.rename(tmp_path / "wheels,of,toys")  # uv takes this for three folders
    done = installing(tmp_path / "new", PIP_FIND_LINKS=str(divided))
    assert done.returncode == 0, done.stdout
    assert "uv could not; pip tries now\n" in done.stdout
    assert installed(tmp_path / "new") == ("pip", "2.0")


@pytest.mark.slow
def test_a_package_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    done = installing(tmp_path / "new", "game")
    assert done.returncode == 1
    assert "No matching distribution found for game" in done.stdout
