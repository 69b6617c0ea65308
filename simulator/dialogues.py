"""The everyday calls of Nora, the agent of an invented freight company, with its drivers, in English."""

from __future__ import annotations

from simulator.scenario import Scenario

SMALL_TALK = """
D: By the way, the traffic around the ring road is terrible today.
A: I see it on my side too. There are roadworks until the end of the week.
D: And the parking lot at the last stop was full again.
A: Thanks for telling me, I'm noting it for the planners.
D: Do you know whether it will snow tonight?
A: The forecast says light snow after ten, so please take it slowly. ❄️
"""

NEW_SLOT = Scenario(
    title="Delivery slot moved",
    language="en",
    script="""
A: Good morning {first_name}, this is Nora from Nordlicht Freight. Can you talk for a minute?
D: Yes, go ahead, I'm on the hands-free.
A: Your tracker says you'll reach {city} about forty minutes after your slot at {time}.
D: That's right. There was an accident on the motorway and we stood still for ages.
A: I'm sorry to hear that. I've asked the warehouse, and they can take you at {new_time} instead.
D: {new_time} works. Same gate?
A: A different one: dock {dock}, on the north side. Shall I confirm it?
D: Yes, please confirm it.
A: Done. The new slot is on your tablet now.
D: I can see it. Thanks a lot, that saves my day. 👍
A: You're welcome, {first_name}. Drive safely!
D: Bye, Nora.
""",
    summary="{first_name} was going to miss the {time} slot in {city}. The warehouse agreed to {new_time} at "
    "dock {dock}, and the driver confirmed.",
    verdict="success",
    evaluation={
        "reached_the_driver": ("success", "The driver answered and had time to talk."),
        "slot_confirmed": ("success", "The driver said yes to the new slot."),
    },
    collected={"new_slot": "{new_time}", "dock": "{dock}", "reason_for_delay": "accident on the motorway"},
    small_talk=SMALL_TALK,
)

GATE_CODE = Scenario(
    title="Gate code",
    language="en",
    script="""
A: Hello {first_name}, Nora here from Nordlicht Freight. I hear that you're standing at the gate in {city}?
D: Yes, for ten minutes already. Nobody answers the intercom.
A: The office there closes at six. You can let yourself in with a code. Ready to write?
D: One second … okay, tell me.
A: It's {code}, then the hash key. I'll say it again: {code}, hash.
D: {code}, hash. Let me try.
A: I'll stay on the line.
D: Green light, it opens! 🎉
A: Great. Please leave the pallets at dock {dock} and take a photo of the seal.
D: Will do. Anything else?
A: No, that was all. Have a good evening, {first_name}.
D: You too, bye.
""",
    summary="{first_name} stood before a closed gate in {city} and got in with the code. The load goes to dock {dock}.",
    verdict="success",
    evaluation={
        "reached_the_driver": ("success", "The driver answered at once."),
        "code_repeated": ("success", "The driver repeated the code correctly."),
    },
    collected={"gate_opened": True, "dock": "{dock}", "waiting_minutes": 10},
    small_talk=SMALL_TALK,
)

REST_TIME = Scenario(
    title="Rest time reminder",
    language="en",
    script="""
A: Hi {first_name}, this is Nora. You've been driving for four hours and ten minutes, so a break is due soon.
D: I know. I wanted to make it to {city} first.
A: That's another fifty minutes; you'd be over the four and a half hours.
D: Hmm. Where can I stop before that?
A: There's a rest area in twelve kilometres, with free lorry spaces right now.
D: Do they have showers?
A: They do, and a canteen that's open until ten.
D: Then I'll stop there. Forty-five minutes?
A: Forty-five minutes, yes. I'll tell {city} that you'll be there at {new_time}.
D: Perfect, thanks for looking out for me.
A: Always. Enjoy your break!
D: Bye bye.
""",
    summary="{first_name} was close to the limit of driving time, agreed to a break of 45 minutes and will be in "
    "{city} at {new_time}.",
    verdict="success",
    evaluation={
        "reached_the_driver": ("success", "The driver answered."),
        "break_agreed": ("success", "The driver will stop at the next rest area."),
    },
    collected={"break_minutes": 45, "new_eta": "{new_time}", "over_the_limit": False},
    small_talk=SMALL_TALK,
)

WRONG_NUMBER = Scenario(
    title="Wrong number",
    language="en",
    script="""
A: Good afternoon, this is Nora from Nordlicht Freight. Am I speaking with {first_name}?
D: Who? No. There's nobody here with that name.
A: I'm sorry. I have this number noted for the driver of truck {truck}.
D: I don't drive a truck, I'm a dentist. 😄
A: Then the number in our records is wrong. I'll have it removed right away.
D: Please do, it's the second time this week.
A: My apologies for the trouble. Goodbye!
D: No harm done. Bye.
""",
    summary="The number on file for {first_name} belongs to somebody else and has to be corrected.",
    verdict="failure",
    evaluation={
        "reached_the_driver": ("failure", "Somebody else answered."),
        "polite": ("success", "The agent apologised and promised to correct the number."),
    },
    collected={"number_is_wrong": True, "new_slot": None},
)

VOICEMAIL = Scenario(
    title="Voicemail",
    language="en",
    script="""
D: Hello, this is the mailbox of {first_name}. I can't answer right now, please leave a message after the tone.
A: Hello {first_name}, this is Nora from Nordlicht Freight. Your slot in {city} has moved to {new_time}, dock {dock}.
A: Please call back when you have stopped. Thank you, and drive safely!
""",
    summary="An answering machine took the call. Nora left the new slot, {new_time} at dock {dock}, as a message.",
    verdict="unknown",
    evaluation={"reached_the_driver": ("unknown", "An answering machine took the call.")},
    collected={"voicemail": True, "new_slot": "{new_time}"},
    termination="Voicemail detected",
)
