"""Verifies Troth's audit trail (docs/trail-format.md) without Troth; needs only `cryptography`.

    python audit_verify.py export FILE --key KEY       an export in JSON Lines
    python audit_verify.py proof FILE --key KEY        a proof file of one entry
    python audit_verify.py receipt FILE --key KEY      a receipt of what was forgotten
    python audit_verify.py live URL --trail TRAIL --token-env NAME --key KEY
KEY is the verifier key that you were given before. Exports and proofs are held to `--receipt FILE`,
a checkpoint has to be signed by each `--witness KEY` too; the last one of a trail is remembered.
Exit code 0: sound; 1: says what is wrong and where; 2: cannot be read.
"""
# fmt: off
# Who trusts this file reads it before, in one sitting: an empty line between its parts, no other.

import argparse
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIELDS = "id type time producer number actor resource version outcome address agent request data"
TEXT, MAYBE, INT, DICT, LIST, HASH = (str,), (str, type(None)), (int,), (dict,), (list,), (bytes,)
HEADER = {"format": TEXT, "trail": TEXT, "first": INT, "count": INT, "verifier_key": TEXT}
ENTRY = {"seq": INT, "day": INT, "class": TEXT, "leaf": HASH}
FOOTER = {"checkpoint": TEXT, "left": LIST, "right": LIST}
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
CHECKPOINT = r"(.+)/(trail_[0-9a-z]{26})\n(0|[1-9][0-9]{0,17})\n(.+)\n"
RECEIPT = rf"(.+)/receipts\n(rcp_\w+)\n(trail_\w+)\n(?:day|hold) (.+)\n{TIME}\n(.+)\n(.+)\n"
FORGETTING = ("audit.event.day-forgotten", "audit.event.hold-lifted")
SAFE = r"https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)"
BYTES_MAX, WRONG_MAX, TIMEOUT_S = 1 << 20, 20, 30
SIGNER, WITNESS, EMPTY = b"\x01", b"\x04", hashlib.sha256().digest()  # kinds of keys, no leaves
Leaves = tuple[int, int]  # from the first one to before the second
Checkpoint = tuple[str, int, bytes]  # trail, size, root

class Wrong(Exception):
    """Something does not hold."""
def need(holds: object, what: str, field: str = "") -> None:
    if not holds:
        raise Wrong(f"field {field}: {what}" if field else what)
@contextlib.contextmanager
def place(where: str) -> Any:
    try:
        yield
    except Wrong as error:
        raise Wrong(where + (", " if str(error)[:6] == "field " else ": ") + str(error)) from None
def unb64(text: Any, field: str, length: int | None = 32) -> bytes:
    data = b""
    with contextlib.suppress(ValueError, TypeError):
        data = base64.b64decode(text, validate=True)
    canonical = base64.b64encode(data).decode() == text and length in (None, len(data))
    need(canonical, f"{ascii(text)[:60]} is not base 64, or not of {length} bytes", field)
    return data
def parsed(text: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8, in which no name stands twice."""
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a name stands twice in an object")
        return dict(pairs)
    try:
        found = json.loads(text.decode(), object_pairs_hook=once)
        json.dumps(found, ensure_ascii=False).encode()  # an escape can hide what is no UTF-8
    except (ValueError, RecursionError) as error:
        raise Wrong(f"is no JSON in UTF-8 ({ascii(str(error))[:80]})") from None
    need(isinstance(found, dict), "is no JSON object")
    return found
def take(found: Any, kinds: dict[str, Any], field: str = "") -> list[Any]:
    """The values of an object that has exactly these names; of hashes their bytes."""
    right = isinstance(found, dict) and set(found) == set(kinds)
    need(right, f"has not exactly these names: {', '.join(kinds)}", field)
    for name, kind in kinds.items():
        right = type(found[name]) in kind and (kind is not INT or 0 <= found[name] < 1 << 63)
        need(kind is HASH or right, f"{ascii(found[name])[:60]} is no such value", field or name)
    return [unb64(found[n], field or n) if k is HASH else found[n] for n, k in kinds.items()]

def lp(text: str) -> bytes:
    return len(text.encode()).to_bytes(4, "big") + text.encode()
def commitment(name: str, field: dict[str, Any]) -> bytes:
    """What a field commits to; when it is shown, its value and salt have to give that."""
    if len(field) < 2:
        return take(field, {"commitment": HASH}, name)[0]
    stated, value, salt = take(field, {"commitment": HASH, "value": MAYBE, "salt": HASH}, name)
    shown = b"\x00" if value is None else b"\x01" + value.encode()
    given = hashlib.sha256(b"troth/audit/field/v1" + lp(name) + salt + shown).digest()
    need(given == stated, "value and salt do not give the commitment", name)
    return stated
def check_entry(options: Any, trail: str, found: dict[str, Any]) -> bytes:
    """The leaf of an entry that holds in itself: its fields, its day, its body, its leaf."""
    kinds, told = ENTRY | ({"body": HASH} if "body" in found else {"fields": DICT}), set[str]()
    seq, day, class_, leaf, body = take(found, kinds)
    need(day < 1 << 21, f"{day} is none", "day")
    if "fields" in found:
        take(body, dict.fromkeys(FIELDS.split(), DICT), "fields")
        parts = b"".join(lp(name) + commitment(name, body[name]) for name in FIELDS.split())
        time, of_day = body["time"].get("value"), str(date(1970, 1, 1) + timedelta(day))
        of_then = time is None or (re.fullmatch(TIME, time) and of_day <= time)
        need(of_then, f"{day} is {of_day}, later than its time {ascii(time)[:60]}", "day")
        data = (body["type"].get("value") in FORGETTING and body["data"].get("value")) or "{}"
        told = {str(value) for value in parsed(data.encode()).values()}
        body = hashlib.sha256(b"troth/audit/body/v1\x00\x0d" + parts).digest()
    for file, (of, *_), id_, words in options.receipts:
        holds = (words <= told and of == trail) or (id_ not in told and options.what == "export")
        need(holds, f"is not the event of {file}, or says something else", "data")
    entry = b"troth/audit/entry/v1" + lp(trail) + seq.to_bytes(8, "big") + day.to_bytes(4, "big")
    given = hashlib.sha256(b"\x00" + entry + lp(class_) + body).digest()
    need(given == leaf, "seq, day, class and the commitments give another leaf", "leaf")
    return leaf

def halves(start: int, end: int) -> tuple[Leaves, Leaves]:
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    return (start, middle), (middle, end)
def root(at: Leaves, known: dict[Leaves, bytes], leaves: Any = b"", first: int = 0) -> bytes:
    """RFC 9162 §2.1.1, from the roots of whatever subtrees are known and the leaves from first."""
    if at in known or at[1] - at[0] < 2:
        return known.get(at) or leaves[(at[0] - first) * 32 : (at[1] - first) * 32] or EMPTY
    below = b"".join(root(half, known, leaves, first) for half in halves(*at))
    return hashlib.sha256(b"\x01" + below).digest()
def way(last: int, size: int, width_max: int) -> list[Leaves]:
    """From the largest such subtree that ends with this leaf up: itself, then all beside it."""
    at, found = (0, size), []
    while at[1] != last + 1 or at[1] - at[0] > width_max:
        left, right = halves(*at)
        at, beside = (left, right) if last < left[1] else (right, left)
        found.append(beside)
    return [at, *reversed(found)]
def cover(start: int, end: int) -> list[Leaves]:
    """The largest aligned subtrees from left to right."""
    if start >= end:
        return []
    width = 1 << min((end - start).bit_length(), (start & -start or end).bit_length()) - 1
    return [(start, start + width), *cover(start + width, end)]
def hashed(ranges: list[Leaves], hashes: Any, field: str) -> dict[Leaves, bytes]:
    need(type(hashes) is list and len(hashes) == len(ranges), f"takes {len(ranges)} hashes", field)
    return {at: unb64(one, field) for at, one in zip(ranges, hashes, strict=True)}

def signed(note: Any, key: str, kind: bytes) -> str:
    """The text of a C2SP note that this key has signed; a witness signs a time and the text."""
    name, id_, of = key.split("+", 2)
    raw, (text, _, below) = base64.b64decode(of, validate=True), str(note).rpartition("\n\n")
    if hashlib.sha256(f"{name}\n".encode() + raw).digest()[:4].hex() != id_ or raw[:1] != kind:
        raise ValueError(f"{key} is no Ed25519 verifier key of such a signer")
    found = re.findall(f"^— {re.escape(name)} (.*)$", below, re.MULTILINE)
    mine = [one[4:] for line in found if (one := unb64(line, "checkpoint", None))[:4].hex() == id_]
    need(len(mine) == 1, f"{name} has not signed it with this key, or not once", "checkpoint")
    time, signature = (mine[0][:8], mine[0][8:]) if kind == WITNESS else (b"", mine[0])
    before = f"cosignature/v1\ntime {int.from_bytes(time, 'big')}\n" if time else ""
    with contextlib.suppress(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, f"{before}{text}\n".encode())
        return f"{text}\n"
    raise Wrong(f"field checkpoint: the signature of {name} does not fit")
def opened(note: Any, key: str, says: str) -> list[str]:
    if (it := re.fullmatch(says, signed(note, key, SIGNER))) and key.startswith(f"{it[1]}/audit+"):
        return list(it.groups()[1:])
    raise Wrong("field checkpoint: says nothing such of this signer")
def remembered(options: Any, new: Checkpoint, smaller: bool) -> tuple[Checkpoint, Checkpoint]:
    """It, and the last one of its trail that was seen, or an empty one: both have to fit."""
    size, top = options.kept.get(new[0], [0, EMPTY.hex()])
    need(size != new[1] or top == new[2].hex(), "another root than is remembered", "checkpoint")
    need(size <= new[1] or smaller, f"{new[1]} is less than is remembered, {size}", "checkpoint")
    return new, (new[0], size, bytes.fromhex(top))
def checkpoint(options: Any, note: Any, smaller: bool) -> tuple[Checkpoint, Checkpoint]:
    trail, size, top = opened(note, options.key, CHECKPOINT)
    for witness in options.witness:
        signed(note, witness, WITNESS)
    return remembered(options, (trail, int(size), unb64(top, "checkpoint")), smaller)
def receipt(options: Any, file: str) -> tuple[str, Checkpoint, str, set[str]]:
    """The last checkpoint before what was forgotten; its id; each word that its event says too."""
    with place(f"receipt {file}"):
        said = Path(file).read_bytes()
        note = parsed(said).get("note") if said[:1] == b"{" else said.decode(errors="replace")
        id_, trail, what, before, count = opened(note, options.key, RECEIPT)
        size, _, top = before.partition(" ")
        need(top or options.what != "export", "names no root: hold the proof of its event to it")
        new = (trail, int(size), unb64(top, "root")) if top else (trail, 0, EMPTY)
        words = {"None" if word == "-" else word for word in (id_, what, *before.split(" "), count)}
        return file, remembered(options, new, True)[0], id_, words

def check_export(options: Any) -> Checkpoint:
    leaves, found, wrong, line = bytearray(), {}, [], 1
    with open(options.source, "rb") as file:
        with place("line 1"):
            kind, trail, first, count, key = take(parsed(file.readline(BYTES_MAX)), HEADER)
            need(kind == "troth-audit-export/1", "is unknown here", "format")
            need(key == options.key, "is not the one that was given", "verifier_key")
        at = first - 1
        for line, text in enumerate(iter(lambda: file.readline(BYTES_MAX), b""), 2):
            at += 1
            try:
                with place(f"line {line}"):
                    need(text.endswith(b"\n"), "is cut off")
                    found = parsed(text)
                if "checkpoint" in found:
                    break
                with place(f"line {line}, entry {ascii(found.get('seq'))[:20]}"):
                    leaf, expected, at = check_entry(options, trail, found), at, found["seq"]
                    need(at == expected, f"behind line {line - 1} belongs {expected}", "seq")
                    leaves += leaf
            except Wrong as error:
                wrong.append(str(error))
        ended = "checkpoint" in found and not file.read(1)
    with place(f"line {line}"):
        need(ended, "; ".join(["the export does not end with its checkpoint", *wrong[-1:]]))
        note, left, right = take(found, FOOTER)
        new, last = checkpoint(options, note, options.older)
        need(new[0] == trail, f"is of {new[0]}, line 1 of {ascii(trail)[:60]}", "checkpoint")
    need(not wrong, "\n".join(wrong[:WRONG_MAX]))
    ends = f"the entries end before {at}, the tree before {new[1]}"
    need(first + count == at <= new[1], f"line 1, field count: {ends}")
    with place(f"line {line}"):
        known = hashed(cover(0, first), left, "left") | hashed(cover(at, new[1]), right, "right")
        need(root((0, new[1]), known, leaves, first) == new[2], "left, leaves, right: another root")
        for who, (of, size, top), *_ in (("", last), *options.receipts):
            here = size and first <= size <= at
            held = root((0, size), known, leaves, first) == top if here else not who
            need(held and of == trail, f"the first {size} are not here as {who or 'memory'} says")
    return new

def check_proof(options: Any) -> Checkpoint:
    head, _, note = Path(options.source).read_bytes().decode(errors="replace").partition("\n\n")
    first, extra, index, *path = [*head.split("\n"), "", ""]
    need(first == "c2sp.org/tlog-proof@v1", "line 1: is no proof file")
    with place(f"line {len(path) + 3}"):
        new, _ = checkpoint(options, note, True)
    with place(f"line 2, entry {index[6:26]!a}"):
        found = parsed(unb64(extra.removeprefix("extra "), "extra", None))
        leaf, seq = check_entry(options, new[0], found), found["seq"]
    with place("line 3 and below"):
        need(index == f"index {seq}" and seq < new[1], f"is not {seq} of {new[1]}", "index")
        known = hashed(way(seq, new[1], 1)[1:], path[:-2], "proof") | {(seq, seq + 1): leaf}
        need(root((0, new[1]), known) == new[2], "the proof leads to another root")
    return new

def ask(options: Any, path: str, name: str, **query: int) -> Any:
    url, asked = urlsplit(options.source), urlencode({"trail": options.trail} | query)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=TIMEOUT_S)
    token = {"authorization": f"Bearer {os.environ.get(options.token_env or '', '')}"}
    connection.request("GET", f"{url.path.rstrip('/')}/v1/audit/{path}?{asked}", headers=token)
    if (answer := connection.getresponse()).status != 200:
        raise OSError(f"GET {path}?{asked} is answered with {answer.status}")
    return parsed(answer.read(BYTES_MAX)).get(name)
def check_live(options: Any) -> Checkpoint:
    if not re.match(SAFE, options.source) or not options.trail or options.receipts:
        raise ValueError("live takes --trail, no --receipt, and https unless it is on this machine")
    with place("the checkpoint"):
        new, (_, size, top) = checkpoint(options, ask(options, "checkpoint", "checkpoint"), False)
    if 0 < size < new[1]:
        with place(f"the consistency proof from {size} to {new[1]}"):
            hashes = ask(options, "consistency", "hashes", **{"from": size, "to": new[1]})
            ways = way(size - 1, new[1], size)
            known = {ways.pop(0): top} if not ways[0][0] else {}
            known |= hashed(ways, hashes, "hashes")
            need(root((0, size), known) == top, "the remembered tree is not its beginning")
            need(root((0, new[1]), known) == new[2], "it leads to another root")
    return new

def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    parser = argparse.ArgumentParser(program, usage=__doc__)
    parser.add_argument("what", choices=("export", "proof", "receipt", "live"))
    parser.add_argument("source", help="a file, or the address of an installation")
    parser.add_argument("--key", required=True, help="<name>+<id>+<base 64>")
    parser.add_argument("--receipt", action="append", default=[], help="a file, to be held to it")
    parser.add_argument("--witness", action="append", default=[], help="a key of one who signs too")
    parser.add_argument("--trail", help="the trail that it has to be of")
    parser.add_argument("--token-env", help="the variable that holds the token")
    parser.add_argument("--memory", type=Path, default=os.path.expanduser("~/.troth-audit.json"))
    parser.add_argument("--older", action="store_true", help="the export is known to be older")
    seen = (options := parser.parse_args(arguments)).memory
    try:
        need(options.what != "receipt" or not options.witness, "no witness signs a receipt")
        options.kept = dict(json.loads(seen.read_text("utf-8")) if seen.exists() else {})
        options.receipts = [receipt(options, file) for file in options.receipt]
        checks = {"export": check_export, "proof": check_proof, "live": check_live,
                  "receipt": lambda options: receipt(options, options.source)[1]}
        trail, size, top = checks[options.what](options)
        need(options.trail in (None, trail), f"it is of {trail}, not of {options.trail}")
        if size >= options.kept.get(trail, [0])[0]:
            written = seen.with_name(f"{seen.name}.{os.getpid()}")
            written.touch(0o600)
            written.write_text(json.dumps(options.kept | {trail: [size, top.hex()]}), "utf-8")
            written.replace(seen)
    except Wrong as wrong:
        print(wrong)
        return 1
    except (OSError, ValueError, TypeError, http.client.HTTPException) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    print(f"sound: {trail}, {size} entries, root {base64.b64encode(top).decode()}")
    return 0
if __name__ == "__main__":
    sys.exit(main())
