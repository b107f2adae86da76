"""Makes `gen/` from the contracts: Python messages, gRPC stubs, the type stubs of both, and one set of all descriptors.

    python proto/generate.py            make gen/ if an input has changed
    python proto/generate.py --force    make it anyhow
    python proto/generate.py --release  besides, make the contracts of now the released ones (see check.py)

The tree is made aside and takes the place of the old one in one step, so a process that imports it meanwhile never sees
half of it; runs at the same time wait for each other.
"""

import argparse
import ctypes
import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import compiler

GEN = compiler.ROOT / "gen"
DESCRIPTORS = "descriptors.binpb"
"""All contracts as a FileDescriptorSet, which the edge turns JSON into messages by, and clients without code read."""
_FINGERPRINT = "fingerprint"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def main(arguments: list[str] | None = None) -> None:
    """Make gen/ if it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="make gen/ even if no input has changed")
    parser.add_argument("--release", action="store_true", help="make the present contracts the released ones")
    options = parser.parse_args(arguments)
    if options.force or not _is_current():
        with _lock():
            if options.force or not _is_current():
                _make()
    if options.release:
        _release()


def fingerprint() -> str:
    """Return a digest of everything that the generated code depends on."""
    digest = hashlib.sha256()
    own = [compiler.PROTO / "generate.py", compiler.PROTO / "compiler.py"]
    for path in [*own, *(compiler.PROTO / file for file in compiler.sources())]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(compiler.PROTO)} {len(content)}\n".encode() + content)
    digest.update("\n".join(compiler.tool_versions()).encode())
    return digest.hexdigest()


def _is_current() -> bool:
    made = GEN / _FINGERPRINT
    return made.exists() and made.read_text() == fingerprint()


def _release() -> None:
    """Replace the released image, unless that would break what is released.

    A break is for a new major package (`v2`); whoever must break a `v1` deletes the released image first, and says why.
    """
    import check
    import image

    if image.RELEASED.exists() and check.main([]) != 0:
        raise SystemExit("not released: the findings above break what is released")
    image.release()


def _make() -> None:
    """Generate everything into a folder beside gen/, then let it take gen/'s place."""
    wanted = fingerprint()
    with tempfile.TemporaryDirectory(prefix="gen.", dir=_scratch()) as scratch:
        new = Path(scratch) / "gen"
        new.mkdir()
        _run_protoc(Path(scratch), new)
        for folder in {path.parent for path in new.rglob("*.py")}:
            _make_packages(folder, new)
        (new / _FINGERPRINT).write_text(wanted)
        _swap(new)


def _run_protoc(scratch: Path, new: Path) -> None:
    files = compiler.sources()
    compiler.protoc(scratch, f"--python_out={new}", f"--mypy_out=quiet:{new}", *files, compiler.VALIDATE)
    if services := compiler.with_services(files):
        compiler.protoc(scratch, f"--grpc_python_out={new}", f"--mypy_grpc_out=quiet:{new}", *services)
    # Errors name their details by type only: whoever decodes them needs google.rpc's own files as well.
    described = [*files, compiler.ERROR_DETAILS, compiler.STATUS]
    compiler.protoc(scratch, "--include_imports", f"--descriptor_set_out={new / DESCRIPTORS}", *described)


def _make_packages(folder: Path, top: Path) -> None:
    """Make a folder and those above it regular packages, which are faster to import and easier to walk."""
    while folder != top:
        (folder / "__init__.py").touch()
        folder = folder.parent


def _swap(new: Path) -> None:
    """Put the new tree in gen/'s place; the old one ends where the new one was."""
    GEN.mkdir(exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    exchange = getattr(libc, "renameat2", None)
    if exchange and exchange(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(GEN), _RENAME_EXCHANGE) == 0:
        return
    # Where the system cannot exchange two folders, gen/ is absent for an instant, but never half made.
    old = new.with_name("old")
    GEN.rename(old)
    new.rename(GEN)


def _scratch() -> Path:
    """Return a folder on the file system of gen/, ignored by git."""
    folder = compiler.ROOT / ".local"
    folder.mkdir(exist_ok=True)
    return folder


class _lock:
    """Lets one run at a time make gen/."""

    def __enter__(self) -> None:
        self._file = (_scratch() / "gen.lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


if __name__ == "__main__":
    main(sys.argv[1:])
