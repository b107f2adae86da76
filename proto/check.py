"""Checks the contracts: buf's lint, and that nothing released is broken.

    python proto/check.py               lint, then compare with the released image
    python proto/check.py lint          lint only

Files of events are held to CSR, the rules for what lies in topics; all others to FILE, the strictest. Buf does not know
our options, so what it cannot see of an event (topic, key and kind) is kept by the golden bytes in tests/contract.
"""

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

import compiler
import image


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; return 0 if all pass, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "lint"], default="all")
    options = parser.parse_args(arguments)
    present = image.build()
    ok = lint(present)
    if options.what == "all":
        ok = unbroken(present) and ok
    return 0 if ok else 1


def lint(present: FileDescriptorSet) -> bool:
    """Hold the contracts to buf's rules; tell whether they pass."""
    with tempfile.TemporaryDirectory() as scratch:
        return _buf(scratch, ["lint", _write(scratch, "present", present)], config=str(compiler.PROTO / "buf.yaml"))


def unbroken(present: FileDescriptorSet) -> bool:
    """Compare the contracts with the released image; tell whether all that was released still holds.

    Raises:
        SystemExit: If nothing is released yet.
    """
    past = image.released(present)
    files = {file.name for file in [*present.file, *past.file] if image.is_ours(file)}
    events = {file for file in files if image.holds_events(file)}
    with tempfile.TemporaryDirectory() as scratch:
        command = ["breaking", _write(scratch, "present", present), "--against", _write(scratch, "past", past)]
        api_holds = _buf(scratch, command, config=_breaking("FILE", ignored=events))
        events_hold = _buf(scratch, command, config=_breaking("CSR", ignored=files - events))
    return api_holds and events_hold


def _breaking(category: str, ignored: Iterable[str]) -> str:
    rules = {"use": [category], "ignore": ["buf", "google", *sorted(ignored)]}
    return json.dumps({"version": "v2", "breaking": rules})


def _write(scratch: str, name: str, content: FileDescriptorSet) -> str:
    path = Path(scratch) / f"{name}.binpb"
    path.write_bytes(content.SerializeToString())
    return str(path)


def _buf(scratch: str, command: Sequence[str], config: str) -> bool:
    """Run buf, which prints its findings; tell whether there are none."""
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    done = subprocess.run([buf, *command, "--config", config], cwd=scratch, check=False)  # noqa: S603
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
