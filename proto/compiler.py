"""Runs protoc over the contracts: where third-party definitions come from, and how they are put on its path.

Nothing third-party is copied in. `google/api`, `google/rpc` and `google/type` lie as text in the wheel of
googleapis-common-protos, `google/protobuf` in that of grpcio-tools, `buf/validate` as a descriptor in protovalidate's.
"""

import importlib.metadata
import importlib.util
import re
import sysconfig
from pathlib import Path

PROTO = Path(__file__).resolve().parent
ROOT = PROTO.parent
VALIDATE = "buf/validate/validate.proto"
ERROR_DETAILS = "google/rpc/error_details.proto"
STATUS = "google/rpc/status.proto"

_TOOLS = ("grpcio-tools", "mypy-protobuf", "protovalidate", "googleapis-common-protos", "protobuf")
_SERVICE = re.compile(r"^service\s", re.MULTILINE)


def sources() -> list[str]:
    """Return our proto files as import paths, sorted."""
    return sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("preceptor/**/*.proto"))


def with_services(files: list[str]) -> list[str]:
    """Return those of the files that declare a gRPC service."""
    return [file for file in files if _SERVICE.search((PROTO / file).read_text())]


def tool_versions() -> list[str]:
    """Return name and version of each package whose release changes what is generated."""
    return [f"{name}={importlib.metadata.version(name)}" for name in _TOOLS]


def protoc(folder: Path, *arguments: str) -> None:
    """Run protoc with all third-party definitions on its path.

    Args:
        folder: A scratch folder that outlives the run.
        arguments: Outputs, options and input files.

    Raises:
        SystemExit: If protoc fails; it has then said why on standard error.
    """
    from grpc_tools import protoc as grpc_protoc

    descriptors = folder / "third_party.binpb"
    descriptors.write_bytes(_third_party())
    scripts = sysconfig.get_path("scripts")
    code = grpc_protoc.main(
        [
            "protoc",
            f"--plugin=protoc-gen-mypy={scripts}/protoc-gen-mypy",
            f"--plugin=protoc-gen-mypy_grpc={scripts}/protoc-gen-mypy_grpc",
            f"--proto_path={PROTO}",
            f"--proto_path={_wheel_folder('google.api')}",
            f"--proto_path={_wheel_folder('grpc_tools')}/grpc_tools/_proto",
            f"--descriptor_set_in={descriptors}",
            *arguments,
        ]
    )
    if code:
        raise SystemExit(code)


def _wheel_folder(module: str) -> Path:
    """Return the folder under which a module's import path begins."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{module} is not installed: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))).parents[module.count(".")]


def _third_party() -> bytes:
    """Return protovalidate's definitions, and what they import, as a serialized FileDescriptorSet.

    The wheel has them as Python only, so its module is asked for the descriptor that it was made from.
    """
    from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
    from protovalidate._gen.buf.validate import validate_pb

    result = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(result.file.add())
    result.file.add().ParseFromString(validate_pb.Rule.desc().file.proto.to_binary())
    return result.SerializeToString()
