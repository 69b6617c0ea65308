"""What the templates of lists ask a change list of the admin."""

from __future__ import annotations

from typing import Any

from django import template

from calls.bidi import words

register = template.Library()


@register.filter
def choices_in(spec: Any, changelist: Any) -> list[dict[str, Any]]:
    """The links of a filter, ours or one of Django's; made once, as some read the database."""
    if not hasattr(spec, "shown_choices"):
        spec.shown_choices = list(spec.choices(changelist))
    choices: list[dict[str, Any]] = spec.shown_choices
    return choices


@register.filter
def filters_in_use(changelist: Any) -> list[str]:
    """What each filter that is in use is set to. The first choice of each is no filter."""
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
    """What a search found in the call of this row; None where nothing was searched."""
    found = getattr(changelist, "found", None)
    return found[place] if found else None
