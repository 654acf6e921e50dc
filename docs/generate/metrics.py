"""The reference of `/metrics`: what a server tells that has all there is, read as Prometheus reads it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import inspect
from prometheus_client.parser import text_string_to_metric_families

from common.http.api import METRICS_PATH
from common.http.metrics import exposition
from common.http.statistics import Histogram, Statistics
from docs.generate.markdown import code, plain, table

_OPENING: Final = f"""# Metrics

Each node tells its own at `{METRICS_PATH}`, in the text format of Prometheus; `/1/statistics` has the same as JSON
([Statistics](api.md#statistics)). Some are there only where there is something to tell: of the writer from stage 3 on,
of workers in stage 4.

"""
_SIMPLE: Final[dict[type[inspect.Type], object]] = {
    inspect.BoolType: True,
    inspect.IntType: 1,
    inspect.FloatType: 1.0,
    inspect.StrType: "some",
}


def describe_metrics() -> str:
    """Return the text of the page."""
    statistics = msgspec.convert(_sample(inspect.type_info(Statistics)), Statistics)
    rows = []
    for family in text_string_to_metric_families(exposition(statistics).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for one in family.samples for label in one.labels} - {"le"})
        rows.append((code(name), plain(family.documentation), family.type, ", ".join(map(code, labels))))
    return f"{_OPENING}{table(('metric', 'what it is', 'type', 'labels'), rows)}"


def _sample(kind: inspect.Type) -> Any:
    """Return a value of a type with nothing left out of it, as JSON has it: what may be null is not."""
    if isinstance(kind, inspect.StructType | inspect.DataclassType):
        if kind.cls is Histogram:  # there is a count more than there are bounds
            return {"bounds_s": [1.0], "counts": [1, 1], "sum_s": 1.0}
        return {field.encode_name: _sample(field.type) for field in kind.fields}
    if isinstance(kind, inspect.UnionType):
        return _sample(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    if isinstance(kind, inspect.VarTupleType):
        return [_sample(kind.item_type)]
    if isinstance(kind, inspect.DictType):
        return {"some": _sample(kind.value_type)}
    return _SIMPLE[type(kind)]
