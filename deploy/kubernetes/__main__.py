"""`python -m deploy.kubernetes check` renders and checks all manifests; `topics` writes `base/topics.yaml` anew."""

from __future__ import annotations

import typer

from deploy.kubernetes import render as rendering
from deploy.kubernetes import topics as kafka_topics
from deploy.kubernetes.schemas import RELEASES, misfits

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keeps the Kubernetes manifests right.")


@app.command()
def topics() -> None:
    """Write the Kafka topics of the event catalogue as manifests."""
    kafka_topics.FILE.write_text(kafka_topics.manifests(), encoding="utf-8")
    typer.echo(f"Wrote {kafka_topics.FILE.name}.")


@app.command()
def check() -> None:
    """Render the base and every overlay, and hold each object to the schemas of Kubernetes, strictly."""
    try:
        faults = [fault for folder in rendering.folders() for fault in _faults(folder.name, rendering.render(folder))]
    except rendering.RenderError as error:
        raise SystemExit(str(error)) from None
    if kafka_topics.FILE.read_text(encoding="utf-8") != kafka_topics.manifests():
        faults.append(f"{kafka_topics.FILE.name} is not what the catalogue says: python -m deploy.kubernetes topics")
    if faults:
        raise SystemExit("\n".join(faults))


def _faults(name: str, objects: list[rendering.Manifest]) -> list[str]:
    found = misfits(objects)
    if not found:
        typer.echo(f"{name}: {len(objects)} manifests fit Kubernetes {' and '.join(RELEASES)}")
    return [f"{name}: {fault}" for fault in found]


if __name__ == "__main__":
    app(prog_name="python -m deploy.kubernetes")
