"""Contracts made up for a test, in a pool of their own, to see what the reading of contracts refuses."""

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from preceptor.options.v1 import access_pb2, event_pb2

STRING = FieldDescriptorProto.TYPE_STRING
INT64 = FieldDescriptorProto.TYPE_INT64
_OPTIONS = (descriptor_pb2, event_pb2, access_pb2, http_pb2, annotations_pb2)


def event(name: str, option: event_pb2.Event, **fields: FieldDescriptorProto.Type.ValueType) -> DescriptorProto:
    """A message with that option and those fields."""
    message = DescriptorProto(name=name)
    for number, (field, type_) in enumerate(fields.items(), start=1):
        message.field.add(name=field, number=number, type=type_, label=FieldDescriptorProto.LABEL_OPTIONAL)
    message.options.Extensions[event_pb2.event].CopyFrom(option)
    return message


def events_file(*messages: DescriptorProto, name: str = "preceptor/tasking/v1/events.proto") -> FileDescriptor:
    """A file of the tasking service with those messages."""
    return _file(FileDescriptorProto(name=name, package="preceptor.tasking.v1", message_type=messages))


def service_file(access: access_pb2.Access | None, name: str = "ClaimTask") -> FileDescriptor:
    """A file of the tasking service with a method of WorkService under that access."""
    file = FileDescriptorProto(name="preceptor/tasking/v1/work.proto", package="preceptor.tasking.v1")
    file.message_type.add(name=f"{name}Request")
    file.message_type.add(name=f"{name}Response")
    package = ".preceptor.tasking.v1."
    method = file.service.add(name="WorkService").method.add(name=name)
    method.input_type, method.output_type = f"{package}{name}Request", f"{package}{name}Response"
    if access is not None:
        method.options.Extensions[access_pb2.access].CopyFrom(access)
    return _file(file)


def _file(file: FileDescriptorProto) -> FileDescriptor:
    pool = DescriptorPool()
    for module in _OPTIONS:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    file.syntax = "proto3"
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(file.name)
