"""The workflow language: expressions, templates, durations; pure, budgeted and deterministic."""

from libs.language.durations import parse_duration, parse_size
from libs.language.errors import ExpressionError, NeedsWorker, WorkerFault
from libs.language.expression import Expression, Path, compile_expression
from libs.language.functions import FUNCTIONS
from libs.language.names import RESERVED, ROOT_NAMES
from libs.language.scan import Hole, split_template
from libs.language.secrets import SecretPlace, fill_secrets, note_versions
from libs.language.templates import Value, compile_value
from libs.language.times import format_rfc3339, parse_rfc3339
from libs.language.worker import ExpressionWorker

__all__ = [
    "FUNCTIONS",
    "RESERVED",
    "ROOT_NAMES",
    "Expression",
    "ExpressionError",
    "ExpressionWorker",
    "Hole",
    "NeedsWorker",
    "Path",
    "SecretPlace",
    "Value",
    "WorkerFault",
    "compile_expression",
    "compile_value",
    "fill_secrets",
    "format_rfc3339",
    "note_versions",
    "parse_duration",
    "parse_rfc3339",
    "parse_size",
    "split_template",
]
