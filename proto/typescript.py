"""Makes the code of the TypeScript client from the contracts: `clients/web/src/gen`, which git ignores.

    python proto/typescript.py

Needs the packages of clients/web: `make web-client` installs them first, and compiles what is made here.
"""

import shutil
import tempfile
from pathlib import Path

import compiler

CLIENT = compiler.ROOT / "clients" / "web"
# Messages of others that ours hold, or that errors carry; `google/protobuf` comes with the runtime.
_THIRD_PARTY = (
    compiler.VALIDATE,
    compiler.ERROR_DETAILS,
    compiler.STATUS,
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/type/money.proto",
)


def main() -> None:
    """Make the folder anew. Raises SystemExit if protoc fails."""
    plugin = CLIENT / "node_modules" / ".bin" / "protoc-gen-es"
    if not plugin.exists():
        raise SystemExit(f"{plugin} is not there: run `make web-client`")
    with tempfile.TemporaryDirectory(dir=CLIENT) as scratch:
        made = Path(scratch) / "gen"
        made.mkdir()
        # Each file imports the others as the JavaScript that they will be.
        options = (f"--es_out={made}", "--es_opt=target=ts,import_extension=js")
        compiler.protoc(Path(scratch), f"--plugin=protoc-gen-es={plugin}", *options, *compiler.sources(), *_THIRD_PARTY)
        target = CLIENT / "src" / "gen"
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


if __name__ == "__main__":
    main()
