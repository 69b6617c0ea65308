from __future__ import annotations

import pytest

from calls.tool_calls import ToolCall, tool_calls


def call(name, request=None):
    return {"tool_name": name, "request_id": request}


def result(name, request=None, **more):
    return {"tool_name": name, "request_id": request, **more}


def test_a_result_stands_with_its_call_wherever_it_comes():
    one, other = call("order", "r1"), call("crm", "r2")
    late, early = result("order", "r1"), result("crm", "r2", tool_latency_secs=0.5)
    found = tool_calls([{"tool_calls": [one, other], "tool_results": [early]}, {"tool_results": [late]}])
    assert found == {0: [ToolCall(one, late), ToolCall(other, early)]}
    assert [tool.latency_seconds for tool in found[0]] == [None, 0.5]


def test_without_a_request_the_name_pairs_them_in_order():
    one, other = call("order"), call("order")
    first, second = result("order", n=1), result("order", n=2)
    assert tool_calls([{"tool_calls": [one, other]}, {"tool_results": [first, second]}]) == {
        0: [ToolCall(one, first), ToolCall(other, second)]
    }


def test_a_result_without_a_call_stands_where_it_came():
    lost = result("order", "r9")
    assert tool_calls([{"tool_calls": [call("order", "r1")]}, {"tool_results": [lost]}])[1] == [ToolCall(None, lost)]


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"tool_calls": 5, "tool_results": [None, 7, "x"]}])
def test_what_is_no_tool_call_is_none(odd):
    assert tool_calls([odd]) == {}


@pytest.mark.parametrize("odd", [{}, {"tool_name": [], "request_id": {}, "tool_latency_secs": True}])
def test_a_tool_call_of_another_shape_has_no_name_and_no_latency(odd):
    (found,) = tool_calls([{"tool_calls": [odd], "tool_results": [odd]}])[0]
    assert (found.name, found.latency_seconds) == ("", None)
