"""The man page is as the commands are, and man reads it without a warning."""

import shutil
import subprocess

import pytest

from tests.man import PAGE, page


def test_the_page_is_as_the_commands_are() -> None:
    assert PAGE.read_text() == page(), "run: .venv/bin/python -m tests.man"


def test_it_has_every_command_with_its_options() -> None:
    text = page()
    for told in (".SS sessions [OPTIONS]\n", ".SS spool drop [OPTIONS] [ID]...\n", r"\fB\-\-watch\fR", ".SH NAME\n"):
        assert told in text
    assert text.isascii()


@pytest.mark.slow
def test_man_reads_it_without_a_warning() -> None:
    if shutil.which("groff") is None:
        pytest.skip("needs groff: apt-get install groff-base")
    command = ["groff", "-man", "-ww", "-Tutf8", "-z", str(PAGE)]  # as man-db's `man --warnings` calls it
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
