"""ProjectService: contract to domain and back."""

from __future__ import annotations

from preceptor.tasking.v1 import project_pb2
from preceptor.work.v1 import work_pb2

from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.locales import canonical
from chassis.rpc.call import Call
from services.tasking.context import Context
from services.tasking.usecases import create_project as creating
from services.tasking.usecases import get_project as getting
from services.tasking.usecases.slots import redundancy_of


async def create_project(
    call: Call[Context], request: project_pb2.CreateProjectRequest
) -> project_pb2.CreateProjectResponse:
    """Makes a project of the calling vendor."""
    asked, rule = request.project, request.project.redundancy
    lease = asked.lease_duration.ToTimedelta() if asked.HasField("lease_duration") else call.context.settings.lease
    project_id = await creating.create_project(
        call.tx,
        creating.NewProject(
            vendor_id=call.own_vendor(),
            display_name=asked.display_name,
            task_type=asked.task_type,
            domain=asked.domain,
            locale=canonical(asked.locale, "project.locale"),
            instructions=asked.instructions,
            required_claims=[f"{claim.kind}={claim.value}" for claim in asked.required_claims],
            min_answers=rule.min_answers,
            max_answers=rule.max_answers,
            stop_confidence=rule.stop_confidence,
            least_worth=rule.least_worth if rule.HasField("least_worth") else None,
            agreed_confidence=rule.agreed_confidence if rule.HasField("agreed_confidence") else None,
            rate_card_id=parse_name("rateCards", asked.rate_card, "project.rate_card"),
            tier=asked.tier,
            expected_seconds=asked.expected_seconds,
            lease=lease,
        ),
    )
    return project_pb2.CreateProjectResponse(project=_project(await getting.get_project(call.tx, project_id)))


def name_alone(response: project_pb2.CreateProjectResponse) -> project_pb2.CreateProjectResponse:
    """What is kept of a project's making."""
    return project_pb2.CreateProjectResponse(project=project_pb2.Project(name=response.project.name))


async def create_again(
    call: Call[Context], kept: project_pb2.CreateProjectResponse
) -> project_pb2.CreateProjectResponse:
    """Gives the project that was made."""
    row = await getting.get_project(call.tx, parse_name("projects", kept.project.name, "name"))
    return project_pb2.CreateProjectResponse(project=_project(row))


async def get_project(call: Call[Context], request: project_pb2.GetProjectRequest) -> project_pb2.GetProjectResponse:
    """Gives a project."""
    row = await getting.get_project(call.tx, parse_name("projects", request.name, "name"))
    return project_pb2.GetProjectResponse(project=_project(row))


def _project(row: Row) -> project_pb2.Project:
    claims = (claim.split("=", 1) for claim in row["required_claims"])
    project = project_pb2.Project(
        name=name("projects", row["project_id"]),
        display_name=row["display_name"],
        task_type=row["task_type"],
        domain=row["domain"],
        locale=row["locale"],
        instructions=row["instructions"],
        required_claims=[work_pb2.Claim(kind=kind, value=value) for kind, value in claims],
        redundancy=redundancy_of(row),
        rate_card=name("rateCards", row["rate_card_id"]),
        tier=row["tier"],
        expected_seconds=row["expected_seconds"],
    )
    project.lease_duration.FromTimedelta(row["lease"])
    return project
