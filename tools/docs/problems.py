"""docs/problems.md: every code of a problem, as the installation shows it at /problems."""

from services.gateway.catalogue import CATALOGUE
from tools.docs.markdown import code, page, table

INTRODUCTION = """
Every refusal of the API is a problem of RFC 9457 (`application/problem+json`): `status`, `code`
(never changes), `detail` (for people), `request_id`, and for input `errors` with a pointer and a
rule each.
"""


def problems_page() -> str:
    entries = sorted(CATALOGUE.items(), key=lambda item: (item[1].status, item[0]))
    rows = [(str(e.status), code(name), e.meaning, e.remedy) for name, e in entries]
    return page("Problems", INTRODUCTION, table(("status", "code", "means", "what to do"), rows))
