"""Scoring's own settings. What it assumes of raters and classes is no setting: `aggregation.configuration`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Duration


class ScoringSettings(BaseSettings):
    """How often it looks for what is due."""

    model_config = SettingsConfigDict(env_prefix="SCORING_", extra="forbid", frozen=True)

    fit_interval: Duration = Field(timedelta(seconds=1), description="Between two looks for projects to be fitted.")
    flag_interval: Duration = Field(timedelta(minutes=1), description="Between two looks at raters.")
    skill_interval: Duration = Field(timedelta(seconds=10), description="Between two looks for skills that moved.")
