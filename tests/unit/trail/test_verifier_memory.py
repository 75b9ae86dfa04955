"""What the verifier saw before: cut-off and rewritten trails, on a live instance and in exports."""

import json
import random
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from tests_support.trails import KEY, TRAIL, Trail, written

from cli import audit_verify
from cli.main import main
from libs.trail import paths
from libs.trail.notes import b64

TOKEN = "troth_token_of_the_test"


class Instance:
    """A server that answers like an installation, for whatever trail it has just now."""

    def __init__(self) -> None:
        self.trail = grown(40)
        self.size = 40
        self.lie: Callable[[dict], dict] = lambda answer: answer
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.url = ""

    def answer(self, url: str) -> dict:
        self.asked.append(url)
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        assert query["trail"] == [TRAIL]
        if path == "/v1/audit/checkpoint":
            return self.lie({"checkpoint": self.trail.checkpoint(self.size), "size": self.size})
        assert path == "/v1/audit/consistency"
        old, new = int(query["from"][0]), int(query["to"][0])
        proof = paths.consistency(old, new, self.trail.hash_of)
        return self.lie({"from": old, "to": new, "hashes": [b64(hash_) for hash_ in proof]})


def grown(size: int, seed: int = 5) -> Trail:
    return Trail(random.Random(seed)).grow(size)


@pytest.fixture
def instance() -> Iterator[Instance]:
    served = Instance()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.tokens.add(self.headers["authorization"])
            status, body = 200, b""
            if served.tokens == {f"Bearer {TOKEN}"}:
                body = json.dumps(served.answer(self.path)).encode()
            else:
                status = 401
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "memory.json"


@pytest.fixture
def verify(tmp_path, memory, capsys, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_TROTH", TOKEN)

    def run(what: str, source: str | bytes, *more: str) -> tuple[int, str]:
        if isinstance(source, bytes):
            (tmp_path / "given").write_bytes(source)
            source = str(tmp_path / "given")
        given = [what, source, "--key", KEY, "--memory", str(memory), *more]
        code = audit_verify.main(given)
        return code, "".join(capsys.readouterr())

    return run


LIVE = ("--trail", TRAIL, "--token-env", "TOKEN_OF_TROTH")


def test_a_live_trail_that_only_grows_is_sound(verify, instance, memory):
    for size in (40, 40, 41, 64, 300):
        instance.trail.grow(max(0, size - len(instance.trail.leaves)))
        instance.size = size

        assert verify("live", instance.url, *LIVE)[0] == 0
    assert json.loads(memory.read_text()) == {TRAIL: [300, instance.trail.root(300).hex()]}
    assert [url.partition("?")[2] for url in instance.asked if "consistency" in url] == [
        f"trail={TRAIL}&from={old}&to={new}" for old, new in ((40, 41), (41, 64), (64, 300))
    ]


def test_a_live_trail_that_shrinks_is_named(verify, instance):
    verify("live", instance.url, *LIVE)
    instance.size = 39

    assert verify("live", instance.url, *LIVE) == (
        1, "the checkpoint, field checkpoint: 39 is less than is remembered, 40\n"
    )  # fmt: skip


def test_a_live_trail_that_was_rewritten_is_named(verify, instance):
    verify("live", instance.url, *LIVE)
    instance.trail = grown(50, seed=6)
    same = verify("live", instance.url, *LIVE)
    instance.size = 50
    larger = verify("live", instance.url, *LIVE)

    assert same == (1, "the checkpoint, field checkpoint: another root than is remembered\n")
    assert larger == (
        1, "the consistency proof from 40 to 50: the remembered tree is not its beginning\n"
    )  # fmt: skip


@pytest.mark.parametrize("size", [41, 50, 64])
@pytest.mark.parametrize("old", [32, 40])
def test_a_changed_consistency_proof_is_named(verify, instance, old, size):
    instance.size = old
    verify("live", instance.url, *LIVE)
    instance.trail.grow(size - 40)
    instance.size = size
    for at in range(len(paths.consistency_ranges(old, size))):

        def changed(answer: dict, at: int = at) -> dict:
            if "hashes" in answer:
                answer["hashes"][at] = b64(bytes(32))
            return answer

        instance.lie = changed
        code, said = verify("live", instance.url, *LIVE)

        assert (code, said[: len(place(old, size))]) == (1, place(old, size)), said
    instance.lie = lambda answer: answer | {"hashes": answer.get("hashes", [])[1:]}
    assert verify("live", instance.url, *LIVE)[1].startswith(f"{place(old, size)}, field hashes:")


def place(old: int, new: int) -> str:
    return f"the consistency proof from {old} to {new}"


def test_a_live_instance_that_answers_nonsense_is_named(verify, instance):
    instance.lie = lambda answer: {"checkpoint": 7}

    assert verify("live", instance.url, *LIVE)[:1] == (1,)


def test_what_cannot_be_read_is_no_verdict(verify, instance, tmp_path, memory):
    missing = str(tmp_path / "missing")
    assert verify("export", missing)[0] == 2
    assert verify("proof", missing)[0] == 2
    assert verify("live", instance.url, "--trail", TRAIL)[0] == 2
    assert verify("live", "http://127.0.0.1:1", *LIVE)[0] == 2
    assert verify("export", missing, "--key", KEY[:-4] + "AAAA")[0] == 2
    assert verify("export", missing, "--key", "nonsense")[0] == 2
    for broken in ("{", "7", f'{{"{TRAIL}":["3","00"]}}'):
        memory.write_text(broken)
        assert verify("export", written(grown(3).export(0, 3)))[0] == 2, broken


def test_a_token_is_never_sent_in_the_clear_to_another_machine(verify):
    code, said = verify("live", "http://troth.example", *LIVE)

    assert code == 2 and "https" in said


def test_an_export_that_is_older_is_wrong_unless_it_is_known_to_be(verify, memory):
    trail = grown(60)
    assert verify("export", written(trail.export(10, 5)))[0] == 0
    older = written(trail.export(10, 5, size=59))

    assert verify("export", older)[1].endswith("59 is less than is remembered, 60\n")
    assert verify("export", older, "--older")[0] == 0
    assert json.loads(memory.read_text())[TRAIL][0] == 60


def test_a_proof_stays_good_when_the_trail_has_grown(verify, memory):
    trail = grown(60)
    verify("export", written(trail.export(0, 0)))

    assert verify("proof", trail.proof(3, size=10).encode())[0] == 0
    assert json.loads(memory.read_text())[TRAIL][0] == 60


@pytest.mark.parametrize("first", [20, 27, 30])
def test_an_export_that_reaches_the_remembered_size_has_to_hold_to_it(verify, first):
    verify("export", written(grown(30).export(0, 3)))
    honest, forged = grown(70), grown(70, seed=6)

    assert verify("export", written(honest.export(first, 20)))[0] == 0
    again = verify("export", written(grown(70).export(5, 3)))
    assert again[0] == 0
    verify("export", written(honest.export(0, 0)))
    assert verify("export", written(forged.export(first, 20)))[0] == 1


@pytest.mark.parametrize("first", [20, 27, 30])
def test_a_rewritten_beginning_is_seen_in_the_next_export(verify, first):
    verify("export", written(grown(30).export(0, 3)))
    code, said = verify("export", written(grown(70, seed=6).export(first, 20)))

    assert code == 1 and said.endswith("the first 30 are not here as memory says\n")


def test_another_root_at_the_remembered_size_is_named(verify):
    verify("export", written(grown(30).export(0, 3)))
    code, said = verify("export", written(grown(30, seed=6).export(0, 3)))

    assert (code, said) == (1, "line 5, field checkpoint: another root than is remembered\n")


def test_a_trail_that_was_not_asked_for_is_named(verify):
    other = TRAIL[:-1] + "0"
    code, said = verify("export", written(grown(3).export(0, 3)), "--trail", other)

    assert (code, said) == (1, f"it is of {TRAIL}, not of {other}\n")


def test_trails_are_remembered_each_for_itself_and_only_for_their_owner(verify, memory):
    second = Trail(random.Random(1), id=TRAIL[:-1] + "0").grow(7)
    verify("export", written(grown(30).export(0, 3)))
    verify("export", written(second.export(0, 3)))

    assert {name: seen[0] for name, seen in json.loads(memory.read_text()).items()} == {
        TRAIL: 30, second.id: 7
    }  # fmt: skip
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert [file.name for file in memory.parent.iterdir() if "memory" in file.name] == [memory.name]


def test_troth_audit_verify_is_the_same_program(tmp_path):
    (tmp_path / "export").write_bytes(written(grown(5).export(1, 2)))
    memory = str(tmp_path / "memory.json")
    arguments = ["audit", "verify", "export", str(tmp_path / "export"), "--memory", memory]
    sound = CliRunner().invoke(main, [*arguments, "--key", KEY])
    (tmp_path / "export").write_bytes(b"{}\n")
    wrong = CliRunner().invoke(main, [*arguments, "--key", KEY])
    helped = CliRunner().invoke(main, ["audit", "verify", "--help"])

    assert (sound.exit_code, wrong.exit_code, helped.exit_code) == (0, 1, 0)
    assert "sound:" in sound.output and "line 1:" in wrong.output and "--key" in helped.output
