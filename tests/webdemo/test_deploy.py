"""What docs/deploy offers is what the programs it is for take."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qac.cli import build_parser

DEPLOY = Path(__file__).parents[2] / "docs/deploy"


def test_the_unit_starts_what_there_is():
    (line,) = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "qac.service").read_text(), re.MULTILINE)
    program, *arguments = shlex.split(line)
    args = build_parser().parse_args(arguments)
    assert program.endswith("/bin/qac")
    assert (args.command, args.host, args.log_json) == ("serve", "127.0.0.1", True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    program = Path(sys.executable).with_name("qac")
    text = (DEPLOY / "qac.service").read_text().replace("/opt/qac/bin/qac", str(program))
    assert program.exists()
    (tmp_path / "qac.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "qac.service"], capture_output=True, text=True, timeout=60
    )
    assert [line for line in done.stderr.splitlines() if "qac.service" in line] == []


def test_the_container_starts_what_there_is_and_copies_what_it_is_made_from():
    text = (DEPLOY / "Containerfile").read_text()
    entry, default = (
        json.loads(re.search(rf"^{word} (\[.*\])$", text, re.MULTILINE)[1]) for word in ("ENTRYPOINT", "CMD")
    )
    args = build_parser().parse_args([*entry[1:], *default])
    assert (args.command, args.host, args.port) == ("serve", "0.0.0.0", 8000)
    root = DEPLOY.parents[1]
    copied = {name for line in re.findall(r"^COPY (?!--)(.*)$", text, re.MULTILINE) for name in line.split()[:-1]}
    assert all((root / name).exists() for name in copied)
    assert {"native", "qac", "data_prep", "webdemo"} <= copied
