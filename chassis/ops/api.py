"""OperationsService: contract to the rooms beside and back. Every service serves it, for itself."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Generic
from uuid import UUID

from preceptor.ops.v1 import operations_pb2 as pb

from chassis.errors import InvalidArgument
from chassis.ids import parse_name
from chassis.ops import letters, messages, state
from chassis.ops.letters import Decision, Wanted
from chassis.ops.trace import Trace
from chassis.ops.waits import Waits
from chassis.redaction import redacted
from chassis.rpc.call import C, Call
from chassis.rpc.paging import Pager, page_size
from chassis.rpc.table import Rpcs, read, write

SERVICE = "preceptor.ops.v1.OperationsService"


class OtherService(InvalidArgument):
    """Another service is named than the one that is asked: ask that one."""

    reason = "OTHER_SERVICE"


def operations(service: str, pager: Pager, trace: Trace[C] | None, waits: Waits[C] | None) -> Rpcs:
    """The table of a service's operations; without `trace` it tells nothing of tasks, without `waits` of what waits."""
    own = Operations(service, pager, trace, waits)
    return {
        SERVICE: {
            "GetServiceStatus": read(own.get_service_status),
            "ListDeadLetters": read(own.list_dead_letters),
            "GetDeadLetter": read(own.get_dead_letter),
            "ReplayDeadLetter": write(own.replay_dead_letter),
            "DiscardDeadLetter": write(own.discard_dead_letter),
            "TraceTask": read(own.trace_task),
        }
    }


class Operations(Generic[C]):
    """The handlers. A service is the consumer of its own name."""

    def __init__(self, service: str, pager: Pager, trace: Trace[C] | None, waits: Waits[C] | None) -> None:
        """Takes the service's name, the sealing of page tokens, and what it knows about tasks and about what waits."""
        self._service = service
        self._pager = pager
        self._trace = trace
        self._waits = waits

    async def get_service_status(
        self, call: Call[C], request: pb.GetServiceStatusRequest
    ) -> pb.GetServiceStatusResponse:
        """Says how the service is."""
        self._check(request.name, "name")
        waits, consumers = await state.waiting(call.tx), await state.heard(call.tx)
        status = messages.status(self._service, waits, consumers)
        if self._waits:
            status.waiting.extend(map(messages.waiting, await self._waits(call.tx, call.context)))
        return pb.GetServiceStatusResponse(status=status)

    async def list_dead_letters(self, call: Call[C], request: pb.ListDeadLettersRequest) -> pb.ListDeadLettersResponse:
        """Gives a page of dead letters."""
        self._check(request.parent, "parent")
        size = page_size(request.page_size, default=100, greatest=1000)
        filters = request.topic, request.key, request.reason, request.type, request.show_ended
        wanted = Wanted(*filters, *self._after(request))
        rows = await letters.listed(call.tx, self._service, wanted, size + 1)
        response = pb.ListDeadLettersResponse(dead_letters=[messages.letter(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1]
            response.next_page_token = self._pager.token(request, last["first_failed_at"].isoformat(), str(last["id"]))
        return response

    async def get_dead_letter(self, call: Call[C], request: pb.GetDeadLetterRequest) -> pb.GetDeadLetterResponse:
        """Gives a dead letter, whole."""
        letter_id = self._parse(request.name, "deadLetters")
        row = await letters.found(call.tx, self._service, letter_id)
        letter = messages.letter(row)
        headers = redacted(json.loads(row["headers"]))
        letter.headers.update({header: str(value) for header, value in headers.items()})
        letter.message_json = messages.content(row["type"], await letters.content(call.tx, self._service, letter_id))
        letter.actions.extend(map(messages.action, await letters.actions(call.tx, self._service, letter_id)))
        return pb.GetDeadLetterResponse(dead_letter=letter)

    async def replay_dead_letter(
        self, call: Call[C], request: pb.ReplayDeadLetterRequest
    ) -> pb.ReplayDeadLetterResponse:
        """Has a dead letter applied again."""
        decision = self._decision(call, request.name, request.reason)
        await letters.replay(call.tx, decision)
        row = await letters.found(call.tx, self._service, decision.letter_id)
        return pb.ReplayDeadLetterResponse(dead_letter=messages.letter(row))

    async def discard_dead_letter(
        self, call: Call[C], request: pb.DiscardDeadLetterRequest
    ) -> pb.DiscardDeadLetterResponse:
        """Gives a dead letter up."""
        decision = self._decision(call, request.name, request.reason)
        await letters.discard(call.tx, decision)
        row = await letters.found(call.tx, self._service, decision.letter_id)
        return pb.DiscardDeadLetterResponse(dead_letter=messages.letter(row))

    async def trace_task(self, call: Call[C], request: pb.TraceTaskRequest) -> pb.TraceTaskResponse:
        """Tells what the service has done about a task."""
        task_id = self._parse(request.name, "tasks")
        steps = await self._trace(call.tx, call.context, task_id) if self._trace else []
        ordered = sorted(steps, key=lambda step: step.time)
        return pb.TraceTaskResponse(steps=[messages.step(step) for step in ordered])

    def _check(self, service: str, field: str) -> None:
        """Raises `OtherService` unless this service is named."""
        if service != f"services/{self._service}":
            raise OtherService(field=field)

    def _parse(self, value: str, collection: str) -> UUID:
        """The id in a name below this service. Raises `OtherService`, `InvalidName`."""
        service, _, rest = value.removeprefix("services/").partition("/")
        self._check(f"services/{service}", "name")
        return parse_name(collection, rest, "name")

    def _decision(self, call: Call[C], letter: str, why: str) -> Decision:
        return Decision(self._service, self._parse(letter, "deadLetters"), call.caller.subject, why)

    def _after(self, request: pb.ListDeadLettersRequest) -> list[tuple[datetime, UUID]]:
        position = self._pager.position(request)
        return [(datetime.fromisoformat(str(position[0])), UUID(str(position[1])))] if position else []
