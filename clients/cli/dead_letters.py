"""`preceptor dead-letters`: see what could not be applied, and decide about it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from preceptor.ops.v1 import operations_pb2 as pb
from rich.table import Table
from rich.text import Text

from clients.cli.access import access_of, ask
from clients.cli.printing import add_row, json_shown, output, shown
from clients.operations import Operations
from clients.session import Session

app = typer.Typer(no_args_is_help=True)
_NAME = re.compile(r"(?:services/)?(?P<service>[a-z]+)/(?:deadLetters/)?(?P<id>[0-9a-f-]{36})")
_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.2

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Names = Annotated[list[str], typer.Argument(help="As `list` gives them, like tasking/0192....", metavar="NAME...")]
Why = Annotated[str, typer.Option("--why", help="Why; it is kept with your name.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is applied, or has failed again.")]


@app.command("list")
def list_letters(
    context: typer.Context,
    service: Annotated[list[str] | None, typer.Option(help="Only of this service; may be repeated.")] = None,
    topic: Annotated[str, typer.Option(help="Only of this topic.")] = "",
    key: Annotated[str, typer.Option(help="Only of this key.")] = "",
    reason: Annotated[str, typer.Option(help="Only with this reason, like UNDECODABLE.")] = "",
    type_: Annotated[str, typer.Option("--type", help="Only of this event type.")] = "",
    ended: Annotated[bool, typer.Option("--ended", help="Also what is applied or discarded.")] = False,
    as_json: Json = False,
) -> None:
    """List what could not be applied, over all services. Example: preceptor dead-letters list --reason UNDECODABLE"""
    wanted = pb.ListDeadLettersRequest(topic=topic, key=key, reason=reason, type=type_, show_ended=ended)

    async def question(session: Session) -> list[pb.DeadLetter]:
        operations, services = Operations(session), service or list(access_of(context).services())
        found = await operations.everywhere(services, lambda name: operations.dead_letters(name, wanted))
        return sorted(
            (one for some in found.values() for one in some), key=lambda one: one.first_fail_time.ToJsonString()
        )

    letters = ask(context, question)
    if as_json:
        typer.echo(json.dumps([_dict(letter) for letter in letters], indent=2))
    else:
        _print_table(letters)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `list` gives it, like tasking/0192....")],
    as_json: Json = False,
) -> None:
    """Show one with its headers and its message. Example: preceptor dead-letters show tasking/0192.... --json"""
    letter = ask(context, lambda session: Operations(session).dead_letter(_full(name)))
    if as_json:
        typer.echo(json.dumps(_dict(letter), indent=2))
    else:
        _print_letter(letter)


@app.command()
def replay(context: typer.Context, names: Names, why: Why, wait: Wait = True, as_json: Json = False) -> None:
    """Apply letters again after a fix, in the order given; then, in order, what waits behind their keys.

    Safe to repeat. Exits with 1 if one fails again. Example: preceptor dead-letters replay tasking/0192.... --why "#12"
    """

    async def question(session: Session) -> list[pb.DeadLetter]:
        operations, settled = Operations(session), []
        for name in map(_full, names):
            letter = await operations.replay(name, why)
            settled.append(await _settled(operations, letter) if wait else letter)
            if wait and settled[-1].state != pb.DEAD_LETTER_STATE_APPLIED:
                break  # the next may be of the same key, and would come before it
        return settled

    _end(ask(context, question), as_json, pb.DEAD_LETTER_STATE_APPLIED if wait else pb.DEAD_LETTER_STATE_REPLAYING)


@app.command("replay-key")
def replay_key(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose dead letters.")],
    key: Annotated[str, typer.Argument(help="The key, like a task's id.")],
    why: Why,
    topic: Annotated[str, typer.Option(help="Only of this topic.")] = "",
    as_json: Json = False,
) -> None:
    """Apply all letters of a key again, in order, until none is left or one fails again.

    Example: preceptor dead-letters replay-key payouts 0192.... --why "fixed in 1.4.2"
    """

    async def question(session: Session) -> list[pb.DeadLetter]:
        operations, settled = Operations(session), list[pb.DeadLetter]()
        wanted = pb.ListDeadLettersRequest(key=key, topic=topic)
        while letters := await operations.dead_letters(service, wanted):
            # What parks the key comes first. What waited behind it may fail too, and then parks it anew.
            first = min(letters, key=lambda one: (not one.parks_key, one.topic, one.partition, one.offset))
            settled.append(await _settled(operations, await operations.replay(first.name, why)))
            if settled[-1].state != pb.DEAD_LETTER_STATE_APPLIED:
                break
        return settled

    _end(ask(context, question), as_json, pb.DEAD_LETTER_STATE_APPLIED)


@app.command()
def discard(context: typer.Context, names: Names, why: Why, as_json: Json = False) -> None:
    """Give letters up for good; what waits behind their keys is applied. Safe to repeat.

    Example: preceptor dead-letters discard scoring/0192.... --why "a test event, nobody misses it"
    """

    async def question(session: Session) -> list[pb.DeadLetter]:
        return [await Operations(session).discard(name, why) for name in map(_full, names)]

    _end(ask(context, question), as_json, pb.DEAD_LETTER_STATE_DISCARDED)


async def _settled(operations: Operations, letter: pb.DeadLetter) -> pb.DeadLetter:
    """The letter once it has been applied or has failed again, and what waited behind it with it."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while _moves(letter) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        letter = await operations.dead_letter(letter.name)
    return letter


def _moves(letter: pb.DeadLetter) -> bool:
    """Whether the role `events` still has something to do for it."""
    behind = letter.state == pb.DEAD_LETTER_STATE_APPLIED and letter.parks_key
    return behind or letter.state == pb.DEAD_LETTER_STATE_REPLAYING


def _full(name: str) -> str:
    """The resource name that a short one stands for."""
    if (match := _NAME.fullmatch(name)) is None:
        raise typer.BadParameter(f"{name} is not like tasking/0192....: see `preceptor dead-letters list`")
    return f"services/{match['service']}/deadLetters/{match['id']}"


def _short(name: str) -> str:
    _, service, _, id_ = name.split("/")
    return f"{service}/{id_}"


def _state(letter: pb.DeadLetter) -> str:
    return pb.DeadLetterState.Name(letter.state).removeprefix("DEAD_LETTER_STATE_").lower()


def _dict(letter: pb.DeadLetter) -> dict[str, object]:
    made: dict[str, object] = MessageToDict(
        letter, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    content = made.pop("message_json", "")
    return {**made, "name": _short(letter.name), "message": json.loads(str(content)) if content else None}


def _end(letters: list[pb.DeadLetter], as_json: bool, wanted: pb.DeadLetterState.ValueType) -> None:
    """Tells what became of letters; exits with 1 unless all are as wanted."""
    if as_json:
        typer.echo(json.dumps([_dict(letter) for letter in letters], indent=2))
    else:
        for letter in letters:
            why = f" ({letter.reason}, {letter.attempts} attempts)" if _state(letter) == "open" else ""
            typer.echo(f"{_short(letter.name)}  {_state(letter)}{why}")
        if not letters:
            typer.echo("There is none.")
    done = {wanted, pb.DEAD_LETTER_STATE_APPLIED} if wanted == pb.DEAD_LETTER_STATE_REPLAYING else {wanted}
    raise typer.Exit(0 if all(letter.state in done for letter in letters) else 1)


def _print_table(letters: list[pb.DeadLetter]) -> None:
    table = Table("name", "topic", "key", "type", "reason", "tries", "first failed", "behind", "state")
    for letter in letters:
        add_row(
            table,
            _short(letter.name),
            letter.topic,
            letter.key,
            letter.type.rpartition(".")[2],
            letter.reason,
            str(letter.attempts),
            letter.first_fail_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S"),
            str(letter.events_behind) if letter.parks_key else "-",
            _state(letter),
        )
    output().print(table if letters else "There is none.")


def _print_letter(letter: pb.DeadLetter) -> None:
    console = output()
    lines = [
        (name, str(value)) for name, value in _dict(letter).items() if name not in ("message", "headers", "actions")
    ]
    lines += [("header", f"{header}: {value}") for header, value in sorted(letter.headers.items())]
    for action in letter.actions:
        when = action.action_time.ToJsonString()
        lines.append(("decision", f"{action.action} by {action.account} at {when}: {action.reason}"))
    for name, value in lines:
        console.print(Text.assemble((f"{name:<16} ", "bold"), shown(value)))
    if letter.message_json:
        console.print(json_shown(letter.message_json))
    else:
        console.print(f"The message cannot be read here; it has {letter.value_bytes} bytes.")
