"""Histories and single turns by two names, in any order: clients that listen hear each sentence once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid

import pytest
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import AccessToken

from callsite.tests.test_one_call_several_names import Listener
from conftest import payload

SAID = [("agent" if n % 2 else "user", f"{chr(97 + n)} sentence") for n in range(12)]


@pytest.fixture
def staff_token(transactional_db):
    return str(AccessToken.for_user(get_user_model().objects.create_superuser("boss", password="boss")))


def events_of(chance, *, singles):
    """Whole and cut histories and, for some sentences, single turns; each with the number of the name that tells it."""
    events, said = [], 0
    for end in sorted(chance.choices(range(1, 11), k=8)):
        if singles and chance.random() < 0.5:
            said = max(said, end - 1)
            events.append((chance.randint(0, 1), SAID[said], None))
            said += 1
        else:
            begin = chance.choice([0, 0, max(0, end - 4)])
            events.append((chance.randint(0, 1), None, SAID[begin:end]))
    order = list(range(len(events)))
    if not singles:
        chance.shuffle(order)
    return [events[n] for n in order]


@pytest.mark.parametrize("singles", [False, True])
@pytest.mark.parametrize("seed", range(3))
async def test_who_listens_hears_each_sentence_once(site, staff_token, settings, seed, singles):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    chance = random.Random(seed)
    mark = uuid.uuid4().hex[:10]
    names = [{"call_sid": f"CA_{mark}"}, {"conversation_id": f"conv_{mark}"}]

    def tell(name, turn, history):
        if turn is not None:
            response = site.turn(**name, speaker=turn[0], message=turn[1])
        else:
            response = site.turn(**name, history={"entries": [{"role": r, "message": m} for r, m in history]})
        assert response.status_code < 300, response.text

    listeners = [Listener(site, staff_token, name) for text in names for name in text.values()]
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    events = events_of(chance, singles=singles)
    merged_behind = chance.randrange(len(events))
    for place, (name, turn, history) in enumerate(events):
        await asyncio.to_thread(tell, names[name], turn, history)
        await asyncio.sleep(chance.choice([0, 0.1]))
        if place == merged_behind:
            await asyncio.to_thread(lambda: site.init(**names[0], **names[1], agent_id="agent_1"))
    await asyncio.to_thread(tell, names[0], None, SAID)
    body = payload("transcription_docs_sample", f"conv_{mark}")
    await asyncio.to_thread(site.post_call, body)
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
    said = [text for _, text in SAID]
    for listener in listeners:
        assert not listener.errors
        assert (sorted(listener.turns) if singles else listener.turns) == said, listener.identifier
