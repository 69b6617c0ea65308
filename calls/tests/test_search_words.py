"""The words of search, tried with texts of every kind: what is said is found, what is masked is not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls.models import Call
from calls.outcome import PostCallData
from calls.search.numbers import beginnings, numbers_in
from calls.search.query import matching
from calls.search.words import distinct_words, folded, is_unspaced, runs
from calls.tests.test_api_search import NOON
from calls.turns import record_turn
from lab.stack.depth import examples

WRITTEN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])
LETTERS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=9, max_size=20)
PROPERTY = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def found(text):
    return set(matching(Call.objects.all(), text).values_list("call_sid", flat=True))


def test_every_character_is_the_same_in_every_form_and_case():
    different = set()
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cs", "Cn", "Co"):
            continue
        text = f"a{character}b"
        words = distinct_words([text])
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        forms += [folded(text), text.lower() if text.lower().casefold() == text.casefold() else text]
        if any(other != text and distinct_words([other]) != words for other in forms):
            different.add(character)
    assert different == set()


@given(WRITTEN, FORMS)
def test_a_text_has_the_same_words_in_every_form_and_case(text, form):
    other = unicodedata.normalize(form, text)
    assert distinct_words([other]) == distinct_words([text])
    assert folded(folded(text)) == folded(text)


@given(WRITTEN)
def test_no_word_needs_escaping_in_a_query(text):
    assert not any(set(word) & set("'\\ \x00%") or not word for word in distinct_words([text]))


@PROPERTY
@given(st.lists(WRITTEN, min_size=1, max_size=4), FORMS, st.data())
def test_each_word_that_was_said_is_found_live_and_afterwards(db, said, form, data):
    Call.objects.all().delete()
    call = Call.register(call_sid="EL_said")
    Call.register(call_sid="EL_other", driver_id="another")
    for text in said:
        record_turn(call, speaker_type="driver", message_text=text)
    asked = data.draw(st.sampled_from(said))
    parts = [asked, *runs(folded(asked))]
    for run in runs(folded(asked)):
        if is_unspaced(run):
            start = data.draw(st.integers(0, len(run) - 1))
            parts.append(run[start : start + data.draw(st.integers(1, 8))])
        else:
            parts.append(run[: data.draw(st.integers(1, len(run)))])
    parts = [unicodedata.normalize(form, part) for part in parts if runs(folded(part))]
    missed = [part for part in parts if "EL_said" not in found(part)]
    call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=[{"role": "user", "message": "other"}]))
    assert (missed, [part for part in parts if "EL_said" not in found(part)]) == ([], [])


@PROPERTY
@given(
    LETTERS, st.sampled_from(["?api_key={}", "https://u:{}@x.example/", '{{"password": "{}"}}', "Bearer {}-1"]), WRITTEN
)
def test_what_is_masked_is_not_found(db, secret, form, beside):
    Call.objects.all().delete()
    call = Call.register(call_sid="EL_said")
    text = f"{form.format(f'S3{secret}')} is it"
    record_turn(call, speaker_type="driver", message_text=text)
    for _ in range(2):
        assert found("is it") == {"EL_said"}
        assert found(f"s3{secret[:4]}") == set()
        transcript = [{"role": "user", "message": text}, {"role": "agent", "message": beside}]
        call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=transcript))
        call.refresh_from_db()


@pytest.mark.parametrize("text", ["1" * 16, "123456", "x49151234567", "49151234567x", "a_49151234567", "2025/06"])
def test_what_is_too_long_too_short_or_part_of_a_word_is_no_number(text):
    assert list(numbers_in(text)) == []


@given(st.from_regex(r"[1-9][0-9]{6,13}", fullmatch=True), st.integers(3, 14), st.sampled_from("- ./"))
def test_a_number_is_found_by_each_beginning_of_it(digits, length, sign):
    asked = f"00{sign}{sign.join(digits[:length])}"
    stored = set(numbers_in(f"+{digits}"))
    assert any(word.startswith(beginning) for beginning in beginnings(asked) for word in stored)
