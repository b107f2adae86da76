"""The largest of what comes in: payloads, answers and predictions that fill their limits with text of one character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message
from preceptor.tasking.v1.batch_pb2 import NewTask
from preceptor.work.v1 import fact_check_pb2 as fact
from preceptor.work.v1 import pairwise_preference_pb2 as pairwise
from preceptor.work.v1 import rubric_grade_pb2 as rubric
from preceptor.work.v1.work_pb2 import Answer, ModelPrediction, Payload

from chassis.contract.sizes import field_limit_of, limit_of

CHARACTERS = ("x", "\x01", "<", '"', "é", "世", "𝄞")
"""What takes one to four bytes, and in JSON one to twelve."""
CLAIMS, CRITERIA, TURNS, SOURCES = 100, 50, 200, 10
PAYLOAD, ANSWER, TASK = (limit_of(each.DESCRIPTOR) or 0 for each in (Payload, Answer, NewTask))
PREDICTIONS = field_limit_of(NewTask.DESCRIPTOR.fields_by_name["predictions"]) or 0

_LENGTHS = 12
"""By so many bytes the lengths of what a text lies in may grow with it."""

Text = tuple[Message, str, int]
"""A message, a text of it, and how many characters that may have."""


def filled(whole: Message, texts: Iterable[Text], character: str, size: int) -> None:
    """Adds to the texts of a message until it has nearly so many bytes, and not more."""
    width, left = len(character.encode()), size - whole.ByteSize()
    for message, field, most in texts:
        present: str = getattr(message, field)
        added = min(most - len(present), (left - _LENGTHS) // width)
        if added <= 0:
            break
        setattr(message, field, present + character * added)
        left -= added * width + _LENGTHS
    assert whole.ByteSize() <= size


def id_of(place: int) -> str:
    """The longest id of a claim or criterion."""
    return f"c{place:063d}"


def payload(kind: str, character: str, size: int = PAYLOAD) -> Payload:
    """A payload of a type with as many questions and as much text as it may have."""
    made = Payload()
    texts: list[Text]
    if kind == "fact_check":
        claims = [fact.FactClaim(id=id_of(n), text="?") for n in range(CLAIMS)]
        asked = fact.FactCheckPayload(answer="?", claims=claims, min_sources=1)
        made.fact_check.CopyFrom(asked)
        own = made.fact_check
        texts = [(own, "prompt", 100_000), (own, "answer", 100_000), *((c, "text", 5_000) for c in own.claims)]
    elif kind == "rubric_grade":
        steps = [rubric.ScaleLevel(level=n, anchor="?") for n in range(11)]
        criteria = [rubric.RubricCriterion(id=id_of(n), text="?", weight=1, levels=steps) for n in range(CRITERIA)]
        made.rubric_grade.CopyFrom(rubric.RubricGradePayload(prompt="?", response="?", criteria=criteria))
        graded = made.rubric_grade
        texts = [(graded, "prompt", 100_000), (graded, "response", 100_000)]
        texts += [(c, "text", 2_000) for c in graded.criteria]
        texts += [(step, "anchor", 1_000) for c in graded.criteria for step in c.levels]
    else:
        turns = [pairwise.Turn(speaker=pairwise.SPEAKER_USER, text="?") for _ in range(TURNS)]
        names = [f"{n:02d}".ljust(200, "-") for n in range(20)]
        said = pairwise.PairwisePreferencePayload(turns=turns, response_a="?", response_b="?", criteria=names)
        made.pairwise_preference.CopyFrom(said)
        pair = made.pairwise_preference
        texts = [(pair, "response_a", 100_000), (pair, "response_b", 100_000)]
        texts += [(turn, "text", 100_000) for turn in pair.turns]
    filled(made, texts, character, size)
    return made


def answer(kind: str, character: str, size: int = ANSWER) -> Answer:
    """An answer to such a payload, with as much text as it may have."""
    made = Answer()
    texts: list[Text] = []
    if kind == "fact_check":
        verdict = fact.FACT_VERDICT_CONTRADICTED
        for n in range(CLAIMS):
            told = made.fact_check.verdicts.add(claim_id=id_of(n), verdict=verdict, severity=fact.FACT_SEVERITY_MAJOR)
            told.sources.add(url="https://a.example", quote="?")
            texts += [(told, "comment", 10_000), (told.sources[0], "quote", 2_000)]
    elif kind == "rubric_grade":
        for n in range(CRITERIA):
            grade = made.rubric_grade.grades.add(criterion_id=id_of(n), level=10)
            texts.append((grade, "rationale", 10_000))
    else:
        made.pairwise_preference.CopyFrom(pairwise.PairwisePreferenceAnswer(preference=-3))
        for n in range(20):
            made.pairwise_preference.criteria.add(criterion=f"{n:02d}".ljust(200, "-"), preference=-3)
        texts = [(made.pairwise_preference, "justification", 20_000)]
    filled(made, texts, character, size)
    return made


def predictions(kind: str, character: str, size: int = PREDICTIONS, models: int = 8) -> Sequence[ModelPrediction]:
    """What so many models say, together of that size."""
    return [
        ModelPrediction(model=f"m{n}".ljust(100, "-"), answer=answer(kind, character, size // models - 120))
        for n in range(models)
    ]


def task(kind: str, character: str, *, gold: bool = False) -> NewTask:
    """A task that fills its limit: half of it what the vendor knows of the answer."""
    known = NewTask(gold_key=answer(kind, character)) if gold else NewTask(predictions=predictions(kind, character))
    asked = payload(kind, character, min(PAYLOAD, TASK - known.ByteSize() - 1_000))
    known.MergeFrom(NewTask(item_key="𝄞" * 200, payload=asked, priority=100))
    return known
