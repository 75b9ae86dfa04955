"""The worker process itself: reads a question, evaluates, writes the answer, until its input ends.

Both are a length in four bytes and JSON.
"""

import resource
import sys
from typing import Any, BinaryIO

import msgspec

from libs.language.errors import ExpressionError
from libs.language.expression import compile_expression
from libs.language.templates import compile_value
from libs.language.worker import LENGTH_BYTES

MEMORY_BYTES_MAX = 512 * 1024 * 1024


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    while len(head := questions.read(LENGTH_BYTES)) == LENGTH_BYTES:
        question = msgspec.json.decode(questions.read(int.from_bytes(head)))
        answer = msgspec.json.encode(_answer(question) if question else {})
        answers.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        answers.flush()


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    scope, clock = question["scope"], question["clock"]
    try:
        if "expression" in question:
            return {"value": compile_expression(question["expression"]).evaluate(scope, clock)}
        value = compile_value(
            question["value"], question["where"], secrets_allowed=question["secrets"]
        )
        return {"value": value.evaluate(scope, clock)}
    except ExpressionError as error:
        return {"error": error.as_dict()}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
