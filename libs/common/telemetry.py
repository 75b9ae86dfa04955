"""Logs as JSON with correlation ids, metrics for `/metrics`, traces that follow a request.

Nothing here may get a payload: attributes are ids, names, counts.
"""

import contextvars
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram
from pythonjsonlogger.json import JsonFormatter

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
_propagator = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None

READER_LAG = Gauge("troth_reader_lag", "Events not yet taken", ["service", "reader"])
READER_STOPPED = Gauge("troth_reader_stopped", "1 when stopped at an event", ["service", "reader"])
RETENTION_LAG = Gauge(
    "troth_retention_lag_seconds", "For how long the oldest overdue row is overdue", ["rule"]
)
RETENTION_FAILED = Gauge("troth_retention_failed", "1 when the last sweep failed", ["rule"])
APPENDED = Counter("troth_events_appended_total", "Events committed", ["service"])
REQUESTS = Counter("troth_requests_total", "HTTP requests", ["route", "status"])
REQUEST_S = Histogram("troth_request_seconds", "HTTP request time", ["route"])
EXECUTIONS = Counter("troth_executions_total", "Executions ended", ["outcome"])
WITHOUT_ORIGIN = Counter(
    "troth_requests_without_origin_total", "Requests whose origin nobody could seal for the trail"
)
LOOKS_LOST = Counter("troth_looks_lost_total", "Looks at payloads that nobody could note")
EVENTS_PASSED = Counter("troth_events_passed_total", "Events that did not fit a trigger's match")
WITNESS_BEHIND = Gauge(
    "troth_witness_behind", "Trails whose last checkpoint a witness has not signed", ["witness"]
)
WITNESS_TROUBLES = Counter(
    "troth_witness_troubles_total", "Asked, and no cosignature came", ["witness", "trouble"]
)
RUNNING = Gauge("troth_executions_running", "Executions held by this process")


class _Correlated(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def set_up_logs(process: str, level: str = "INFO") -> None:
    """JSON lines on stderr; libraries speak from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}{request_id}", style="{",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            static_fields={"process": process, "pid": os.getpid()},
        )
    )  # fmt: skip
    handler.addFilter(_Correlated())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("libs", "services", "cli"):
        logging.getLogger(name).setLevel(level)


def set_up_traces(process: str, file: str | None) -> None:
    """Spans as JSON lines into a file, and by OTLP when its standard variable is set."""
    global _tracer
    otlp = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not file and not otlp:
        return
    # The parts that record and send are only loaded where somebody wants traces.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": f"troth-{process}"}))
    if file:
        out = Path(file).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        exporter = ConsoleSpanExporter(out=out, formatter=lambda s: s.to_json(indent=None) + "\n")
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    if otlp:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # pyright: ignore[reportMissingImports] - an optional package
                OTLPSpanExporter,
            )
        except ImportError as error:
            raise SystemExit(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry-exporter-otlp-proto-http"
                " is not installed"
            ) from error
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("troth")


@contextmanager
def span(name: str, traceparent: str | None = None, **attributes: Any) -> Iterator[None]:
    """A span below `traceparent` (or the current one); nothing when traces are off."""
    if _tracer is None:
        yield
        return
    context = _propagator.extract({"traceparent": traceparent}) if traceparent else None
    with _tracer.start_as_current_span(name, context=context, attributes=attributes):
        yield


def traceparent(given: str | None = None) -> str | None:
    """The trace context to hand on: of the current span, else what came in."""
    if _tracer is None:
        return given
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", given)
