"""Changes of the contracts are held against what is released, by the rules for events or those for the API."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet

PROTO = Path(__file__).parents[2] / "proto"
EVENTS = "preceptor/tasking/v1/events.proto"
API = "preceptor/tasking/v1/work.proto"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """proto/check.py, with the contracts as they are now being the released ones."""
    monkeypatch.syspath_prepend(str(PROTO))
    image = import_module("image")
    monkeypatch.setattr(image, "RELEASED", tmp_path / "released.binpb")
    image.release()
    return import_module("check")


@pytest.fixture
def present(check: ModuleType) -> FileDescriptorSet:
    image: FileDescriptorSet = check.image.build()
    return image


def message(image: FileDescriptorSet, file: str, name: str) -> DescriptorProto:
    found = [message for part in image.file if part.name == file for message in part.message_type]
    return next(message for message in found if message.name == name)


def test_the_contracts_pass_lint_and_new_fields_break_nothing(check: ModuleType, present: FileDescriptorSet) -> None:
    string = FieldDescriptorProto.TYPE_STRING
    for file, name in ((EVENTS, "AnswerSubmitted"), (API, "ClaimTaskRequest")):
        label = FieldDescriptorProto.LABEL_OPTIONAL
        message(present, file, name).field.add(name="further", number=99, type=string, label=label, json_name="further")
    assert check.lint(check.image.build())
    assert check.unbroken(present)


@pytest.mark.parametrize(("file", "name"), [(EVENTS, "AnswerSubmitted"), (API, "ClaimTaskRequest")])
def test_a_field_that_is_gone_is_a_break(
    check: ModuleType, present: FileDescriptorSet, capfd: pytest.CaptureFixture[str], file: str, name: str
) -> None:
    gone = message(present, file, name).field.pop()
    assert not check.unbroken(present)
    assert f'"{gone.name}" on message "{name}" was deleted' in capfd.readouterr().out


def test_a_message_that_is_gone_is_a_break(check: ModuleType, present: FileDescriptorSet) -> None:
    file = next(part for part in present.file if part.name == EVENTS)
    del file.message_type[[part.name for part in file.message_type].index("BatchOpened")]
    assert not check.unbroken(present)


def test_without_a_released_image_nothing_passes(check: ModuleType, present: FileDescriptorSet) -> None:
    check.image.RELEASED.unlink()
    with pytest.raises(SystemExit, match=r"released\.binpb is missing"):
        check.unbroken(present)
