"""The common parts of the filters of the list of calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from calls.models import Call

Choice = dict[str, Any]  # the form in which Django's filters pass a choice to their templates
NOT_KNOWN = "Not known"  # the title of a blank value in a filter that takes one


class Option(NamedTuple):
    """A choice of a filter. `values`: the spellings that a URL may use; links use the first."""

    title: str
    parameter: str
    values: tuple[str, ...]
    condition: Q


class CallFilter(admin.ListFilter):
    """A filter whose parameters stay in the URL. If it cannot read a parameter, it sets `error` and selects no call."""

    parameter_names: tuple[str, ...]
    takes_blank = False  # whether an empty value counts; if not, it is absent, because forms send empty fields
    error = ""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Call], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.said: dict[str, str] = {}
        for name in self.parameter_names:
            if name in params and ((said := params.pop(name)[-1]) != "" or self.takes_blank):
                self.said[name] = said

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*self.parameter_names]

    def link(self, changelist: Any, title: object, said: dict[str, str], *, selected: bool) -> Choice:
        """Return a link to the list with these parameters of this filter; other filters stay as they are."""
        wanted: dict[str, str | None] = {**dict.fromkeys(self.parameter_names), **said}
        return {"display": title, "selected": selected, "query_string": changelist.get_query_string(wanted)}


class Options(CallFilter):
    """A filter that offers a few known values."""

    options: tuple[Option, ...]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        for name, said in self.said.items():
            option = next((one for one in self.options if one.parameter == name and said in one.values), None)
            if option is None:
                known = (one.values[0] for one in self.options if one.parameter == name)
                self.error = f"{name} is one of: {', '.join(known)}."
                return queryset.none()
            queryset = queryset.filter(option.condition)
        return queryset

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.link(changelist, "Any", {}, selected=not self.said)
        for title, parameter, values, _ in self.options:
            selected = self.said.get(parameter) in values
            yield self.link(changelist, title, {parameter: values[0]}, selected=selected)


class Exactly(CallFilter):
    """A filter by one exact text, which other pages link to. The list shows the filter only while it is in use."""

    def has_output(self) -> bool:
        return bool(self.said)

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.link(changelist, "Any", {}, selected=False)
        for text in self.said.values():
            yield self.link(changelist, text or NOT_KNOWN, {self.parameter_names[0]: text}, selected=True)


def options(parameter: str, *those: tuple[str, str, Q]) -> tuple[Option, ...]:
    """Return the options of one parameter, each made from its value, title and condition."""
    return tuple(Option(title, parameter, (value,), condition) for value, title, condition in those)


def by_value(parameter: str, field: str, those: Iterable[tuple[Any, Any]]) -> tuple[Option, ...]:
    """Return the options of one parameter, one per choice of a model field."""
    return options(parameter, *((str(value), str(title), Q(**{field: value})) for value, title in those))
