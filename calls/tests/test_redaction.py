"""What leaves callsite has no secrets of tool calls in it, and loses nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calls.redaction import MASK, MAX_DEPTH, redacted
from conftest import PAYLOADS, TOOL_SECRET

SECRET = "hunter2-S3CRET"
LOGIN = "aHVudGVyMjpTM0NSRVQ="  # hunter2:S3CRET


def tool(**details):
    return {"tool_calls": [{"tool_name": "crm", "params_as_json": "{}", "tool_details": details}]}


# --- headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["headers", "request_headers", "requestHeaders", "http-headers", "HEADERS"])
def test_every_value_of_headers_is_masked_whatever_their_names(name):
    headers = {"Authorization": f"Bearer {SECRET}", "X-Custom": SECRET, "X-Odd": [SECRET, 5], "X-None": None}
    assert redacted({name: headers}) == {
        name: {"Authorization": MASK, "X-Custom": MASK, "X-Odd": [MASK, MASK], "X-None": None}
    }


@pytest.mark.parametrize(
    ("headers", "masked"),
    [
        ([{"name": "X-Custom", "value": SECRET}], [{"name": "X-Custom", "value": MASK}]),
        ([{"key": "Authorization", "value": f"Bearer {SECRET}"}], [{"key": "Authorization", "value": MASK}]),
        ([["X-Custom", SECRET], ["Accept", "*/*"]], [["X-Custom", MASK], ["Accept", MASK]]),
        ([f"X-Custom: {SECRET}"], [f"X-Custom: {MASK}"]),
        ([[f"X-Custom: {SECRET}", "b"]], [[MASK, MASK]]),
        ([{"name": f"X-Custom: {SECRET}"}], [{"name": MASK}]),
        (f"X-Custom: {SECRET}\nAccept: */*", f"X-Custom: {MASK}\nAccept: {MASK}"),
        (f'{{"X-Custom": "{SECRET}"}}', f'{{"X-Custom": "{MASK}"}}'),
        ({"Authorization": {"secret_id": SECRET}}, {"Authorization": {"secret_id": MASK}}),
        (SECRET, MASK),
        (None, None),
    ],
)
def test_headers_come_in_many_shapes(headers, masked):
    assert redacted(tool(type="webhook", request_headers=headers)) == tool(type="webhook", request_headers=masked)


# --- names --------------------------------------------------------------------------------------------------

SECRET_NAMES = [
    *("token", "Token", "TOKEN", "access_token", "accessToken", "access-token", "accesstoken", "x-auth-token"),
    *("token_value", "tokenForCrm", "apiKey", "API_KEY", "api-key", "xi-api-key", "apikey", "APIKey", "api_keys"),
    *("password", "userPassword", "dbpassword", "passwd", "pwd", "pass", "passphrase", "client_secret"),
    *("clientSecret", "SECRET_KEY", "privateKey", "access_key", "signature", "X-Hub-Signature-256", "sig", "hmac"),
    *("authorization", "Proxy-Authorization", "auth", "basicAuth", "cookie", "Set-Cookie", "sessionCookie", "jwt"),
    *("credentials", "bearer", "otp", "secret__x", "secret__count", "SECRET__X", "auth[token]", "crm.token"),
]
OTHER_NAMES = [
    *("token_count", "tokenType", "max_tokens_count", "password_reset_requested", "password_changed_at", "secret_id"),
    *("secretary", "author", "authored", "authorization_method", "signature_required", "cookie_consent", "key"),
    *("primary_key", "sort_key", "keyboard", "monkey", "api_key_id", "passage", "compass", "session_id", "pin"),
    *("tool_name", "order_id", "message", "bypass", "design", "signal", ""),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_the_value_of_a_secret_name_is_masked_and_the_name_kept(name):
    assert redacted({name: SECRET}) == {name: MASK}
    assert redacted({name: {"a": [SECRET]}}) == {name: {"a": [MASK]}}
    assert redacted({"name": name, "value": SECRET}) == {"name": name, "value": MASK}
    assert redacted([[name, SECRET]]) == [[name, MASK]]
    assert redacted({"body": json.dumps({name: SECRET})}) == {"body": json.dumps({name: MASK})}
    assert redacted(f"?{name}={SECRET}&q=1") == f"?{name}={MASK}&q=1"


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_that_have_the_letters_are_left_alone(name):
    for value in (
        {name: "a value"},
        {"name": name, "value": "a value"},
        json.dumps({name: "a value"}),
        [[name, "a value"]],
        f"a?q=1;{name}=value",
    ):
        assert redacted(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {"output_total": {"tokens": 120, "price": 0.3}, "llm_usage": {"model_usage": {}}},
        {"has_token": True, "password": None, "token": "", "secret": False},
        {"authorization_method": "signed_url", "code": 1008, "error": {"code": 3000}},
        {"evaluation_criteria_results": {"polite": {"criteria_id": "polite", "result": "success"}}},
        "The bearer certificates, basic information and Basic understanding; the bearer's well-known name.",
        'He said "password": never; a=b, 2+2=4, mail me@x.example, https://x.example/?q=1&page=2#top at 10:30',
        '{"a": 1.0e5,  "b":"c"}',
        '"Hello" she said',
        "{not json} [1]",
    ],
)
def test_what_only_looks_like_a_secret_stays_as_it_came(value):
    assert redacted(value) == value


def test_a_number_under_a_secret_name_is_masked_and_under_tokens_it_is_a_count():
    assert redacted({"otp": 123456, "tokens": 17, "access_tokens": ["abc"]}) == {
        "otp": MASK,
        "tokens": 17,
        "access_tokens": [MASK],
    }


def test_names_in_the_setting_are_masked_whatever_they_hold(settings):
    value = {"licensePlate": "B-AB 12", "License-Plate": 7, "LICENSE_PLATE": True, "plate": "x", "shade": {"a": "x"}}
    assert redacted(value) == value
    settings.REDACTED_NAMES = [" license_plate", "", "Shade "]
    masked = {**dict.fromkeys(("licensePlate", "License-Plate", "LICENSE_PLATE"), MASK), "plate": "x"}
    assert redacted(value) == {**masked, "shade": {"a": MASK}}
    assert redacted("https://x.example/?license%5Fplate=B&q=1") == f"https://x.example/?license%5Fplate={MASK}&q=1"
    assert redacted([{"variable_name": "shade", "new_value": 5}]) == [{"variable_name": "shade", "new_value": MASK}]


def test_variables_that_say_it_are_masked_where_they_are_and_where_they_change():
    update = {"variable_name": "secret__x", "old_value": SECRET, "new_value": SECRET, "updated_at": 1.5}
    data = {"dynamic_variables": {"secret__x": SECRET, "secret__n": 7, "city": "Bonn"}, "updates": [update]}
    assert redacted(data) == {
        "dynamic_variables": {"secret__x": MASK, "secret__n": MASK, "city": "Bonn"},
        "updates": [update | {"old_value": MASK, "new_value": MASK}],
    }


# --- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"https://user:{SECRET}@x.example/a", "https://***@x.example/a"),
        (f"wss://{SECRET}@x.example", "wss://***@x.example"),
        (f"https://x.example/?a=1&api_key={SECRET}", "https://x.example/?a=1&api_key=***"),
        (f"https://x.example/?api%5Fkey={SECRET}#end", "https://x.example/?api%5Fkey=***#end"),
        (f"https://x.example/?key={SECRET}&code={SECRET}", "https://x.example/?key=***&code=***"),
        (f"https://x.example/#access_token={SECRET}", "https://x.example/#access_token=***"),
        (f"/?next=https%3A%2F%2Fx%2F%3Ftoken%3D{SECRET}", "/?next=https%3A%2F%2Fx%2F%3Ftoken%3D***"),
        (f"order=1&client_secret={SECRET}", "order=1&client_secret=***"),
        (f"refused: Bearer {SECRET} is old", "refused: Bearer *** is old"),
        (f"basic {LOGIN}", "basic ***"),
        (f'401 for {{"token": "{SECRET}"}}, sorry', '401 for {"token": "***"}, sorry'),
        (f"{{'token': '{SECRET}', 'n': None}}", "{'token': '***', 'n': None}"),
        (f'{{"headers": {{"X-Custom": "{SECRET}"}}, "n": [1, 2', '{"headers": ***, "n": [1, 2'),
        (f'{{"a": "{{\\"token\\": \\"{SECRET}\\"}}", "n": [1, 2', '{"a": "{\\"token\\": \\"***\\"}", "n": [1, 2'),
        (f'{{"token": "{SECRET}', '{"token": "***"'),
        (f'{{"token": "{SECRET}", "token": 1}}', '{"token": "***", "token": ***}'),
        (f'\ufeff {{"token":"{SECRET}"}}', '{"token":"***"}'),
        (f'{{"a": "\\ud800", "token": "{SECRET}"}}', '{"a": "\\ud800", "token": "***"}'),
        (f'{{"a": NaN, "token": "{SECRET}"}}', '{"a": NaN, "token": "***"}'),
    ],
)
def test_secrets_are_found_in_texts(text, masked):
    assert redacted({"raw_error_message": text}) == {"raw_error_message": masked}


def test_json_in_json_in_json_is_looked_into():
    text = json.dumps({"token": SECRET})
    for _ in range(8):
        text = json.dumps({"body": text})
    shown = redacted(text)
    for _ in range(8):
        shown = json.loads(shown)["body"]
    assert json.loads(shown) == {"token": MASK}
    assert json.loads(json.loads(redacted(json.dumps(json.dumps({"token": SECRET}))))) == {"token": MASK}


def test_a_url_does_not_give_away_what_its_path_parameters_hide():
    details = {"url": "https://x.example/k%2Fey1/orders/42", "path_params": {"api_key": "k/ey1", "order": "42"}}
    assert redacted(tool(**details)) == tool(
        url="https://x.example/***/orders/42", path_params={"api_key": MASK, "order": "42"}
    )


def test_the_parameters_of_a_query_are_masked_as_in_the_url():
    assert redacted({"query_params": {"key": SECRET, "q": "x"}}) == {"query_params": {"key": MASK, "q": "x"}}


def test_callsites_own_secrets_are_masked_wherever_they_stand(settings):
    settings.ELEVENLABS_WEBHOOK_SECRET = "first-secret-0123, second-secret-0123"
    settings.ELEVENLABS_API_KEY = "x"  # of this length it is in every second word
    said = f"{TOOL_SECRET} first-secret-0123 second-secret-0123 {settings.SECRET_KEY} x"
    assert redacted([{"message": said}]) == [{"message": "*** *** *** *** x"}]


def test_a_recording_is_told_by_its_size():
    assert redacted({"full_audio": "A" * 400}) == {"full_audio": "(400 characters of base64)"}


# --- whatever comes -------------------------------------------------------------------------------------------


def differences(before, after, path=""):
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return [one for name in before for one in differences(before[name], after[name], f"{path}/{name}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [one for n, item in enumerate(before) for one in differences(item, after[n], path)]
    return [] if before == after else [(path, before, after)]


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
def test_the_samples_lose_headers_secret_variables_and_audio_and_nothing_else(path):
    body = json.loads(path.read_text())
    before = json.dumps(body)
    for where, _, shown in differences(body, redacted(body)):
        assert (where.endswith("/full_audio") and "characters of base64" in shown) or (
            shown == MASK and ("/tool_details/headers/" in where or "/dynamic_variables/secret__" in where)
        ), where
    assert json.dumps(body) == before, "the value itself was changed"


def test_a_long_transcript_without_secrets_is_not_copied():
    turns = [{"role": "agent", "message": f"Hello {n}", "tool_calls": [], "metrics": {"tokens": n}} for n in range(100)]
    assert redacted(turns) is turns


@pytest.mark.parametrize("depth", [MAX_DEPTH - 5, MAX_DEPTH + 1, 5_000])
def test_depth_has_an_end_and_hides_nothing(depth):
    for opening, wrap in (({"token": SECRET}, lambda value: [value]), (SECRET, lambda value: {"a": value})):
        value = {"token": opening}
        for _ in range(depth):
            value = wrap(value)
        assert SECRET not in str(redacted(value))
    text = '{"a":' * depth + f'{{"token":"{SECRET}"}}' + "}" * depth
    assert SECRET not in redacted(text)
    assert SECRET not in redacted({"headers": text})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(SECRET_NAMES), inner),
    max_leaves=20,
)
PIECES = [*"{}[]\"':=&?%@/\\ \n,xy17", "token", "://", "Bearer ", "Basic ", "headers", "\\u0022", "\ud800", "%22"]
SIGNS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(JSON | SIGNS | SIGNS.map(lambda text: {"headers": text, "token": text, "a": '{"' + text, "b": f"a={text}"}))
def test_whatever_comes_it_never_fails(value):
    shown = redacted(value)
    assert type(shown) is type(value)
    json.dumps(shown)


HIDDEN = st.recursive(
    st.sampled_from(
        [{"token": SECRET}, {"headers": {"X-Custom": SECRET}}, f"https://a:{SECRET}@x.example/?key={SECRET}"]
    ),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(OTHER_NAMES), inner, min_size=1, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=5,
)


@given(HIDDEN)
@example([json.dumps({"token": SECRET}), json.dumps({"token": SECRET})])  # looks like a name and its value
def test_wherever_a_secret_stands_it_is_found(value):
    assert SECRET in str(value)
    assert SECRET not in str(redacted(value))
