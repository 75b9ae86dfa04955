"""What the language reference says beside its tables, section by section."""

from libs.language.check_events import SERVICES, TYPE_FORM
from libs.language.check_people import ROLES
from libs.language.check_steps import BLOCK_DEPTH_MAX, ERROR_KEYS, KINDS, STEPS_MAX

INTRODUCTION = f"""
A workflow is one YAML or JSON document of blocks inside blocks. Every save, and `troth apply
--dry-run`, says what is wrong in it with line, column and what was probably meant; each problem
points to a section of this page. Editors complete and check a file whose first line is
`# yaml-language-server: $schema=https://<host>/v1/schema/workflow`. The kinds of steps are
{", ".join(f"`{kind}`" for kind in KINDS)}.
"""
FILE = """
YAML 1.2 with JSON's scalars, or JSON. Not allowed: anchors, aliases, merge keys, tags, a key twice,
a key that is no text, several documents, depth over 40, more than 256 KiB. `on`, `yes` and `0777`
are texts. The first key is `troth: 1`.
"""
FIELDS = """
Each key takes a literal (no `${{` in it), exactly one expression, or a value. Keys of objects are
always literal.
"""
EXPRESSIONS = """
`${{ … }}` holds Python's expression syntax without anything that could run away: literals, names,
`x.key`, `x["key"]`, `x[0]`, slices, lists, objects, `and or not`, `+ - * / // %`, comparisons,
`in`, `a if c else b`, comprehensions and the functions below. `true`, `false` and `null` are
written so. A text that is one expression keeps its type; any other is text, in which null is an
error (write `default(x, "")`). A written `${{` is `$${{`. Nothing is evaluated twice.
"""
SCOPES = f"""
`input`, `trigger`, `execution`, `workflow` and `vars` are known everywhere. A step's id names its
result for the later steps of its own block and everything inside those; not in itself (only its
`undo` sees it) and not after its block has ended. What leaves a block is its `output`, else its
steps' results by id. `error` is seen in `catch` and `on_error` ({", ".join(ERROR_KEYS)}), `event`
in an event trigger and in `wait.event.match`, `page` in a list of pages. No name hides another one.
A document has at most {STEPS_MAX} steps in blocks at most {BLOCK_DEPTH_MAX} deep.
"""
BLOCKS = f"""
A step has an `id`, perhaps a `title`, and exactly one kind. An approval can be decided by
{", ".join(f"`role:{role}`" for role in ROLES)} and `person:per_…`.
"""
TRIGGERS = f"""
A workflow can always be started by hand. `match` sees `event`, `workflow` and `vars`; `with` of an
event sees `trigger` too, that of a schedule `trigger`, `workflow` and `vars`. An event's type is
{TYPE_FORM}; services with events are {", ".join(SERVICES)}. In a cron line a day fits when both day
and weekday fit, or one of them if both are restricted; a local time that a clock change skips fires
at the next minute that exists, one that happens twice fires once.
"""
SETTINGS = """
A `key` is evaluated before an execution starts and sees `input`, `trigger`, `workflow` and `vars`.
With `collect` the input's schema is the one of `{"items": [every input]}`, and the key sees each
single input.
"""
TESTS = """
Tests are data: no expression is evaluated in them. Keys of `mocks` and of `expect.steps` are ids of
steps.
"""
FILES = """
A value has at most 256 KiB. What is larger is a file: `POST /v1/files` (`troth files send`) answers
with the value that stands for it, `{"$file": "file_…", "media_type": …, "size_bytes": …}`; only
`$file` is needed. It is an ordinary object: it goes through inputs, steps, approvals and
sub-workflows. `http-request@1` sends it with `file`, and with `as_file: true` makes the body of the
answer a file: then `file` of its result is that value, `json` is null and `text` empty. A file has
at most 100 MiB. It is kept as long as an execution names it, and a day from when it was sent last.
"""
SECRETS = """
`${{ secret.name }}` stands only in the `with` of a connector and of its `undo`, and in a webhook's
`verify`: as the whole value or inside a text, never inside a larger expression. The value is put in
by the process that makes the call and masked in everything that is recorded.
"""
