"""Scoring's own settings: none yet. What it assumes is in `domain.reliability` and is the same everywhere."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class ScoringSettings(BaseSettings):
    """Refuses every variable that begins with ``SCORING_``, as none has a meaning."""

    model_config = SettingsConfigDict(env_prefix="SCORING_", extra="forbid", frozen=True)
