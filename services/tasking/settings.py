"""Tasking's own settings."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Duration


class TaskingSettings(BaseSettings):
    """How long things last, where a project does not say."""

    model_config = SettingsConfigDict(env_prefix="TASKING_", extra="forbid", frozen=True)

    lease: Duration = Field(timedelta(minutes=30), description="A lease without a sign of life.")
    greatest_hold: Duration = Field(timedelta(hours=24), description="A lease, however often it is kept alive.")
    late_grace: Duration = Field(timedelta(hours=24), description="In which a late answer is still taken.")
    review_deadline: Duration = Field(timedelta(hours=72), description="After which an undecided answer is accepted.")
    gold_share: float = Field(0.1, ge=0, le=1, description="How often a claim gives gold to whose skill is known.")
    gold_share_new: float = Field(0.3, ge=0, le=1, description="The same, to whose skill is not, or may have changed.")
    senior_wait: Duration = Field(timedelta(minutes=30), description="After which a senior's task is anybody's.")
    claim_retry: Duration = Field(timedelta(seconds=15), description="What an expert without a task is told to wait.")
    sweep_interval: Duration = Field(timedelta(seconds=1), description="Between two looks for what is due.")
