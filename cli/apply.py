"""`troth apply`: workflow files are checked, saved as drafts and published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.client import Api, Refused
from cli.output import json_option, say_json, table
from cli.problems import document_lines, refusal_lines

MEDIA = {".json": "application/json"}
UNREADABLE = ("malformed-yaml", "malformed-json", "workflow-invalid", "body-too-large")


@dataclass(frozen=True)
class File:
    path: Path
    text: bytes
    media: str

    def lines(self, problems: list[dict[str, Any]]) -> list[str]:
        return document_lines(problems, self.text.decode(errors="replace"), str(self.path))


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Check only; nothing is saved.")
@click.option("--note", help="Why; stands beside the published version.")
@click.option(
    "--accept-differences", is_flag=True,
    help="Publish although past executions would go another way; this is recorded.",
)  # fmt: skip
@json_option
def apply(
    files: tuple[Path, ...], dry_run: bool, note: str | None, accept_differences: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Check, save and publish workflow files.

    All files are checked before the first one is saved. What is published already as it stands
    in the file stays as it is. Exit code 1 when a file has problems or is refused.
    """
    api = Api.of_caller()
    read = [File(path, path.read_bytes(), MEDIA.get(path.suffix, "application/yaml"))
            for path in files]  # fmt: skip
    results = [check(api, file) for file in read]
    good = all(result["ok"] for result in results)
    if not as_json:
        for file, result in zip(read, results, strict=True):
            tell(file, result)
    if good and not dry_run:
        results = [publish(api, file, note, accept=accept_differences) for file in read]
        good = all(result["ok"] for result in results)
        if not as_json:
            show(results, api.url)
    if as_json:
        say_json(results)
    elif good and dry_run:
        click.echo(f"{len(read)} checked, no problems; nothing was saved")
    raise SystemExit(0 if good else 1)


def check(api: Api, file: File) -> dict[str, Any]:
    """What the checker says about a file; a file that can't be read is a problem like others."""
    base = {"file": str(file.path)}
    try:
        found = api.document("POST", "/v1/workflows/check", file.text, file.media)
    except Refused as refused:
        if refused.code not in UNREADABLE:
            return base | {"ok": False, "problem": refused.problem, "problems": [], "warnings": []}
        problems = refused.problem.get("errors") or [
            {"pointer": "", "rule": refused.code, "detail": str(refused)}
        ]
        return base | {"ok": False, "problems": problems, "warnings": []}
    return base | {"ok": found["ok"], "problems": found["problems"], "warnings": found["warnings"]}


def tell(file: File, result: dict[str, Any]) -> None:
    """Problems and warnings on the error stream, each with its place."""
    for line in file.lines(result["problems"]):
        click.echo(line, err=True)
    for line in file.lines(result["warnings"]):
        click.echo(f"warning: {line}", err=True)
    if "problem" in result:
        refused = Refused(result["problem"].get("status", 0), result["problem"])
        click.echo(f"{file.path}: " + "\n".join(refusal_lines(refused)), err=True)
    if not result["ok"] and result["problems"]:
        count = len(result["problems"])
        click.echo(f"{file.path}: {count} {'problem' if count == 1 else 'problems'}", err=True)


def publish(api: Api, file: File, note: str | None, *, accept: bool = False) -> dict[str, Any]:
    """Saves the draft unless it is the same, publishes it unless it is published."""
    base: dict[str, Any] = {"file": str(file.path), "ok": True}
    name = name_of(file)
    try:
        saved, did_save = save(api, file, name)
        workflow = api.get(f"/v1/workflows/{name}")
        try:
            body = {"draft_version": saved, "note": note, "accept_differences": accept}
            workflow = api.post(f"/v1/workflows/{name}/publish", body)
            did = "published"
        except Refused as refused:
            if refused.code != "nothing-to-publish":
                raise
            did = "saved" if did_save else "unchanged"
    except Refused as refused:
        return base | {"ok": False, "name": name, "did": "refused", "problem": refused.problem}
    version = workflow["published"]
    return base | {
        "name": name, "did": did, "id": workflow["id"], "enabled": workflow["enabled"],
        "version": version if isinstance(version, int) or version is None else version["version"],
        "addresses": [t["address"] for t in workflow["triggers"] if t.get("address")],
    }  # fmt: skip


def save(api: Api, file: File, name: str) -> tuple[int, bool]:
    """The draft's version, and whether it was changed. Never over somebody else's change."""
    path = f"/v1/workflows/{name}/draft"
    try:
        there = api.ask("GET", path, headers={"accept": "*/*"})
    except Refused as refused:
        if refused.status != 404:
            raise
        made = api.document("POST", "/v1/workflows", file.text, file.media)
        return version_of(made["draft"]), True
    tag = there.headers["etag"]
    if there.content == file.text:
        return int(tag.strip('"')), False
    kept = api.document("PUT", path, file.text, file.media, **{"if-match": tag})
    return version_of(kept["draft"]), True


def version_of(draft: Any) -> int:
    return draft if isinstance(draft, int) else draft["version"]


def name_of(file: File) -> str:
    """The document's name; the checker has read the file before, so it can be read."""
    from libs.language.source import read_document

    source = read_document(file.text, "json" if file.media.endswith("json") else "yaml")
    return source.value["name"]


def show(results: list[dict[str, Any]], url: str) -> None:
    rows = [
        (r["name"], r["did"], r.get("version"),
         ", ".join(url.rstrip("/") + place for place in r.get("addresses", [])) or None)
        for r in results
    ]  # fmt: skip
    table(("WORKFLOW", "WHAT", "VERSION", "CALLED AT"), rows)
    for result in results:
        if "problem" in result:
            refused = Refused(result["problem"].get("status", 0), result["problem"])
            click.echo("\n".join(refusal_lines(refused)), err=True)
