"""Is that true? Asks the parts themselves: databases, the bus, the receiver, the signature."""

from cli.demo import counts
from cli.demo.dependencies import Packages
from cli.demo.failed import DemoFailed
from cli.demo.running import Run, used
from cli.demo.scene import Scene

SHOWN_CHARACTERS = 44


def ask_the_parts(scene: Scene, packages: Packages, run: Run) -> str:
    """One line per part; the last line of the demo. Raises DemoFailed for what is not so."""
    scene.teller.head("Is that true? Ask the parts, not us")
    _same_call_again(scene, run)
    repeated = _receiver(scene, run)
    delivered = _delivery(scene, run)
    executions = _usage(scene, run)
    _sealed(scene, packages, run)
    committed, published, audited = _counts(scene)
    return (
        f"demo ok executions={executions} killed=1 resumed_ms={run.resumed_ms} "
        f"committed={committed} published={published} audited={audited} "
        f"repeated={repeated} delivered={delivered}"
    )


def _same_call_again(scene: Scene, run: Run) -> None:
    """The caller's retry gets the recorded answer; what it would have done again is seen below."""
    again = run.call.again()
    again.start()
    scene.until(lambda: again.ended or None, "the same call got no second answer")
    same = again.status == 200 and again.answer == run.call.answer
    if not same or again.headers.get("idempotency-replayed") != "true":
        raise DemoFailed(
            f"the same call again got {again.status} {again.answer} instead of the recorded answer"
        )
    _say(scene, "caller", "the same call a second time gets the recorded answer, "
         "`Idempotency-Replayed: true`")  # fmt: skip


def _receiver(scene: Scene, run: Run) -> int:
    """Each flagged package came once, the kill notwithstanding."""
    keys = scene.receiver.packages_per_key(run.execution)
    repeated = sum(keys.values()) - len(keys)
    if len(keys) != run.flagged or repeated:
        raise DemoFailed(
            f"the receiver got {len(keys)} of {run.flagged} packages, {repeated} of them again; "
            f"{scene.hint}"
        )
    _say(scene, "receiver", f"{sum(keys.values())} requests, {len(keys)} idempotency keys, "
         f"{repeated} repeated")  # fmt: skip
    return repeated


def _delivery(scene: Scene, run: Run) -> int:
    """The outcome was delivered; the library of the standard checks the signature."""
    from standardwebhooks import Webhook, WebhookVerificationError

    came = scene.until(
        lambda: scene.receiver.events_of(run.execution) or None, "the outcome was not delivered"
    )
    webhook, verified = Webhook(scene.delivery_secret), dict[str, str]()
    try:
        for one in came:
            event = webhook.verify(one.body, one.headers)
            verified[one.headers["webhook-id"]] = event["data"]["outcome"]
    except WebhookVerificationError as error:
        raise DemoFailed(f"a delivery's signature does not fit ({error}); {scene.hint}") from None
    if list(verified.values()) != ["succeeded"]:
        raise DemoFailed(f"not one delivery of a success: {verified}; {scene.hint}")
    _say(scene, "delivery", f"{len(verified)} {came[0].json['type']}: succeeded; signature "
         "verified by `standardwebhooks`")  # fmt: skip
    return len(verified)


def _usage(scene: Scene, run: Run) -> int:
    """What billing metered, from events alone."""

    def more() -> int | None:
        now = used(scene)  # None while billing is behind
        return None if now is None or now == run.used_before else now - run.used_before

    metered = scene.until(more, "billing has not metered the execution")
    if metered != 1:
        raise DemoFailed(f"billing metered {metered} executions instead of 1; {scene.hint}")
    _say(scene, "billing", f"{run.used_before} executions this month before, "
         f"{run.used_before + metered} now")  # fmt: skip
    return metered


def _sealed(scene: Scene, packages: Packages, run: Run) -> None:
    """The input as the log has it: read with all rights, and still not readable."""
    stream = f"execution-{scene.organization}-{run.execution}"
    with scene.stores.read("executor") as connection:
        rows = connection.execute(
            "select data::text, data->>'input' from log where stream = %s order by version",
            (stream,),
        ).fetchall()
    everything, sealed = "".join(row[0] for row in rows), rows[0][1] if rows else ""
    names = (package["name"] for package in packages if len(package["name"]) > 6)
    clear = [name for name in names if name in everything]
    if not sealed.startswith("v1.") or clear:
        raise DemoFailed(f"the log of the executor is not sealed: {clear[:3]}; {scene.hint}")
    _say(scene, "sealed", f"{len(sealed)} characters of input in the log begin "
         f"{sealed[:SHOWN_CHARACTERS]}…")  # fmt: skip


def _counts(scene: Scene) -> tuple[int, int, int]:
    """Equal in all three places for each producer; waited for, because readers follow."""
    stores, since = scene.stores, scene.since
    url, secrets = scene.installation.nats_url, scene.installation.secrets

    def settled() -> tuple[dict[str, int], dict[str, int], dict[str, int]] | None:
        audited = counts.audited(stores, since)
        if audited != counts.committed(stores, since):
            return None
        published = counts.published(url, secrets, since)
        committed = counts.committed(stores, since)
        return (committed, published, audited) if committed == published == audited else None

    committed, published, audited = scene.until(
        settled, "committed, published and audited events are not equal in number"
    )
    each = ", ".join(f"{producer} {number}" for producer, number in committed.items() if number)
    totals = sum(committed.values()), sum(published.values()), sum(audited.values())
    _say(scene, "counted", f"{totals[0]} events of this run in PostgreSQL ({each}), {totals[1]} in "
         f"JetStream, {totals[2]} in the trail, of each service as many")  # fmt: skip
    return totals


def _say(scene: Scene, part: str, text: str) -> None:
    scene.teller.say(f"  {part.ljust(10)} {text}")
