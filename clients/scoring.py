"""ConsensusService, asked in a session."""

from __future__ import annotations

from preceptor.scoring.v1 import consensus_pb2 as pb
from preceptor.scoring.v1 import consensus_pb2_grpc as rpc

from clients.session import Session

_SECONDS = 30.0


class Scoring:
    """What may be asked about consensus: by vendors of their own, by reviewers and operators of all."""

    def __init__(self, session: Session) -> None:
        """Takes a session of a vendor, or of somebody with the role QUALITY_REVIEWER or OPS."""
        self._session = session

    async def explain(self, task: str) -> pb.ExplainConsensusResponse:
        """How the consensus of a task was reached. Raises `grpc.aio.AioRpcError`, as all methods here do."""
        request, auth = pb.ExplainConsensusRequest(task=task), await self._session.auth()
        return await self._stub().ExplainConsensus(request, metadata=auth, timeout=_SECONDS)

    async def agreement(self, project: str, question: str = "") -> pb.GetAgreementResponse:
        """How far raters agree on each question of a project, or on one."""
        request, auth = pb.GetAgreementRequest(project=project, question=question), await self._session.auth()
        return await self._stub().GetAgreement(request, metadata=auth, timeout=_SECONDS)

    def _stub(self) -> rpc.ConsensusServiceAsyncStub:
        return rpc.ConsensusServiceStub(self._session.channel("scoring"))
