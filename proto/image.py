"""Images of the contracts: the present one, and the last released one that changes are held against.

The released image is kept in the repository without comments and without third-party files, which keeps it small; both
images are completed with the third-party files of today when they are compared.
"""

import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import compiler

RELEASED = compiler.PROTO / "released.binpb"


def build() -> FileDescriptorSet:
    """Compile the contracts into one image, with their imports and their comments.

    Raises:
        SystemExit: If they do not compile.
    """
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "image.binpb"
        outputs = ("--include_imports", "--include_source_info", f"--descriptor_set_out={target}")
        compiler.protoc(Path(scratch), *outputs, *compiler.sources())
        return FileDescriptorSet.FromString(target.read_bytes())


def release() -> None:
    """Make the contracts as they are now the ones that later changes are held against."""
    image = FileDescriptorSet()
    for file in filter(is_ours, build().file):
        kept = image.file.add()
        kept.CopyFrom(file)
        kept.ClearField("source_code_info")
    RELEASED.write_bytes(image.SerializeToString(deterministic=True))


def released(present: FileDescriptorSet) -> FileDescriptorSet:
    """Return the released image, completed with the third-party files of the present one.

    Raises:
        SystemExit: If nothing is released yet.
    """
    if not RELEASED.exists():
        raise SystemExit(f"{RELEASED.name} is missing: make it by `python proto/generate.py --release`")
    image = FileDescriptorSet(file=[file for file in present.file if not is_ours(file)])
    image.MergeFromString(RELEASED.read_bytes())
    return image


def is_ours(file: FileDescriptorProto) -> bool:
    """Tell whether the file is one of our contracts and no import from elsewhere."""
    return file.package.startswith("preceptor.")


def holds_events(file: str) -> bool:
    """Tell whether the file declares what lies in topics rather than what is called."""
    return file.endswith("/events.proto")
