"""Keeps open sockets within the rights of their users, who may be signed out, or limited to other agents."""

from __future__ import annotations

from collections.abc import Callable, Collection

from django.db import Error

from realtime import auth
from realtime.messages import ErrorFrame
from realtime.subscriptions import Listener, Subscription, Topic

STALLED_SECONDS = 15.0
CLOSE_TRY_AGAIN_LATER = 1013
CLOSE_NOT_AUTHENTICATED = 4401


def not_found(identifier: str) -> ErrorFrame:
    """Return the frame that ends a subscription whose call was deleted, or is no longer visible to the user."""
    text = "The call was deleted, or you may not see it any more."
    return ErrorFrame(message=text, code="CALL_NOT_FOUND", identifier=identifier)


class Doorkeeper:
    """Closes sockets and ends subscriptions that the user's rights do not allow any more.

    `unsubscribe` ends a listener's subscription to a call.
    """

    def __init__(self, unsubscribe: Callable[[Listener, int], None]) -> None:
        self._unsubscribe = unsubscribe

    async def check(self, listeners: Collection[Listener]) -> None:
        """Close the sockets of users who may not listen any more, and sockets that take nothing for STALLED_SECONDS.

        A listener whose agents changed loses its subscriptions to the calls of other agents. Without the database,
        nothing is checked.
        """
        asked = {listener.identity for listener in listeners}
        try:
            allowed = await auth.still_allowed(asked)
        except Error:
            return
        for listener in list(listeners):
            rights = allowed.get(listener.identity)
            if rights is not None:
                self._take_rights(listener, rights)
            elif listener.identity in asked:
                text = "You are signed out, your password was changed, or you may not view calls any more."
                listener.send(ErrorFrame(message=text, code="AUTHENTICATION_FAILED"))
                listener.close(CLOSE_NOT_AUTHENTICATED)
                continue
            if listener.send_queue.stalled_seconds() > STALLED_SECONDS:
                listener.close(CLOSE_TRY_AGAIN_LATER)

    def is_of_agent(self, topic: Topic, agent_id: str) -> None:
        """Set the agent of a topic's call. If it changed, end the subscriptions of listeners who may not hear it."""
        if topic.agent_id != agent_id:
            topic.agent_id = agent_id
            for subscription in list(topic.subscriptions):
                self._end_unless_allowed(subscription)

    def _take_rights(self, listener: Listener, rights: auth.Rights) -> None:
        if rights != listener.rights:
            listener.take_rights(rights)
            for subscription in list(listener.subscriptions.values()):
                self._end_unless_allowed(subscription)

    def _end_unless_allowed(self, subscription: Subscription) -> None:
        """End this subscription if its listener may not hear the call. Where the agent is in doubt, check later."""
        listener, topic = subscription.listener, subscription.topic
        if topic.agent_id is not None and not listener.may_hear(topic.agent_id):
            self._unsubscribe(listener, topic.call_id)
            listener.send(not_found(subscription.identifier))
