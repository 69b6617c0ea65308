"""Reads from the database what subscribers have not got yet: gaps, resumptions, the end of a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from django.db import Error

from calls.models import Call
from realtime import replay
from realtime.cycles import Tasks
from realtime.subscriptions import Listener, Subscription, Topic

logger = logging.getLogger(__name__)
DATABASE_RETRY_SECONDS = 1.0


class Reader:
    """Reads for the topics and subscriptions of one hub.

    `unsubscribe` ends a listener's subscription to a call. The reader calls `gone` when a call's row no longer exists,
    and `is_of_agent` with the call's agent, before it serves anything of the call.
    """

    def __init__(
        self,
        tasks: Tasks,
        unsubscribe: Callable[[Listener, int], None],
        gone: Callable[[Topic], None],
        is_of_agent: Callable[[Topic, str], None],
    ) -> None:
        self._tasks, self._unsubscribe, self._gone, self._is_of_agent = tasks, unsubscribe, gone, is_of_agent

    def catch_up(self, topic: Topic) -> None:
        """Read the turns that this process has not heard, once for all its sockets, and serve them."""
        topic.stale = True
        if not topic.reading:
            topic.reading = True
            self._tasks.spawn(self._read_missing(topic))

    async def _read_missing(self, topic: Topic) -> None:
        try:
            while topic.stale and topic.users:
                topic.stale = False
                page = await replay.read(topic.call_id, topic.head, until_end=True)
                self._is_of_agent(topic, page.state.agent_id)
                if page.state.numbering != topic.numbering:
                    topic.numbering, topic.head = page.state.numbering, page.state.last_sequence_number
                    for subscription in list(topic.subscriptions):
                        self.serve(subscription)
                    continue
                for number, text in page.turns:
                    for subscription in await topic.advance_as_read(number, text):
                        self.serve(subscription)
                await topic.skip_to(page.end)
                if page.completion is None:
                    topic.stale = topic.stale or not page.is_last
                    continue
                for subscription in [s for s in topic.subscriptions if not s.behind]:
                    # a position below the head: the last turn is being served, and has not reached this socket yet
                    if subscription.position >= topic.head and subscription.listener.send_queue.has_room:
                        self._finish(subscription, page.completion)
                    else:
                        self.serve(subscription)
        except Call.DoesNotExist:
            self._gone(topic)
        except Error as error:  # the next sweep reads again
            logger.warning("The database is away: %s", type(error).__name__)
        finally:
            topic.reading = False

    def serve(self, subscription: Subscription) -> None:
        """Serve a subscription from the database, at its socket's own pace, until it has caught up with its call."""
        if not subscription.behind:
            subscription.behind = True
            self._tasks.spawn(self._serve_pages(subscription))

    async def _serve_pages(self, subscription: Subscription) -> None:
        while subscription.behind and not subscription.over:
            try:
                async with subscription.listener.one_page:  # one page at a time per socket
                    await self._serve_page(subscription)
            except Call.DoesNotExist:
                self._gone(subscription.topic)
                return
            except Error as error:
                logger.warning("The database is away: %s", type(error).__name__)
                await asyncio.sleep(DATABASE_RETRY_SECONDS)

    async def _serve_page(self, subscription: Subscription) -> None:
        topic, send_queue = subscription.topic, subscription.listener.send_queue
        await send_queue.room()
        if subscription.over:
            return
        head, user_id = topic.head, subscription.listener.user_id
        page = await replay.read(topic.call_id, subscription.position, until_end=subscription.live, user_id=user_id)
        self._is_of_agent(topic, page.state.agent_id)
        if subscription.over:
            return
        if page.state.numbering != subscription.numbering:
            subscription.start_again(page.state)
            return
        for number, text in page.turns:
            if not send_queue.has_room:
                await send_queue.room()
            if subscription.over:
                return
            subscription.serve(number, text)
        subscription.position = max(subscription.position, page.end)
        if page.completion is not None:
            if not send_queue.has_room:
                await send_queue.room()
            if not subscription.over:
                self._finish(subscription, page.completion)
        elif subscription.position >= topic.head or (not page.turns and topic.head == head):
            subscription.behind = False

    def _finish(self, subscription: Subscription, completion: tuple[str, str]) -> None:
        """Send the completion pair and end the subscription: the call has ended, and every turn was served."""
        for text in completion:
            subscription.listener.send_queue.push(text)
        self._unsubscribe(subscription.listener, subscription.topic.call_id)
