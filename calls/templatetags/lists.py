"""Template filters that read a change list of the admin."""

from __future__ import annotations

from typing import Any

from django import template

from calls.bidi import words

register = template.Library()


@register.filter
def choices_in(spec: Any, changelist: Any) -> list[dict[str, Any]]:
    """Return the choices of a list filter, callsite's or Django's; cached, because some read the database."""
    if not hasattr(spec, "shown_choices"):
        spec.shown_choices = list(spec.choices(changelist))
    choices: list[dict[str, Any]] = spec.shown_choices
    return choices


@register.filter
def filters_in_use(changelist: Any) -> list[str]:
    """Return the chosen value of each filter in use. The first choice of a filter means that it is not in use."""
    used: list[str] = []
    for spec in changelist.filter_specs:
        choices = choices_in(spec, changelist)
        if chosen := [choice["display"] for choice in choices[1:] if choice["selected"]]:
            used.append(words(chosen[0]))
        elif choices and not choices[0]["selected"]:
            used.append(words(spec.title))
    return used


@register.filter
def found_under(changelist: Any, place: int) -> Any:
    """Return what a search found in the call of row `place`; None if nothing was searched."""
    found = getattr(changelist, "found", None)
    return found[place] if found else None
