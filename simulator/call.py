"""One simulated call: its identifiers, its driver, and the sentences spoken so far."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from itertools import count

from simulator.dialogues import GATE_CODE, NEW_SLOT, REST_TIME, VOICEMAIL, WRONG_NUMBER
from simulator.dialogues_abroad import BREAKDOWN, COLD_CHAIN
from simulator.scenario import Line, Scenario

SCENARIOS = (NEW_SLOT, BREAKDOWN, GATE_CODE, COLD_CHAIN, REST_TIME, WRONG_NUMBER, VOICEMAIL)
AGENT_ID, AGENT_NAME = "agent_2701kfreightdemo8nora5dispatch", "Nora · Nordlicht Freight"
AGENT_NUMBER = "+15550100001"
_DRIVERS = {
    "en": ("Marta Kowalska", "Sam O'Neill", "Jonas Weber", "Amina Yusuf", "Pieter de Vries", "Élodie Martin"),
    "de": ("Jürgen Krämer", "Ayşe Demir", "Tobias Groß"),
    "es": ("Lucía Fernández", "Íñigo Peña", "Nuria Soler"),
}
_CITIES = {"en": ("Leeds", "Rotterdam", "Antwerp"), "de": ("Köln", "Würzburg"), "es": ("Zaragoza", "A Coruña")}
_numbers = count()


@dataclass(slots=True)
class SimulatedCall:
    """A simulated call. `provider_sid` is the telephone company's identifier; `started_at` is in unix seconds.

    `told`: the number of sentences that callsite got while the call ran. `tool_runs`: the numbers of sentences after
    which the agent's tool ran. `interrupted`: the whole text of each interrupted sentence, by the sentence's number.
    """

    scenario: Scenario
    driver_id: str
    driver_name: str
    driver_number: str
    call_sid: str
    conversation_id: str
    provider_sid: str
    by_sip: bool
    details: dict[str, str]
    direction: str = "outbound"
    started_at: float = field(default_factory=time.time)
    said: list[tuple[Line, float]] = field(default_factory=list)  # each with its time, in unix seconds
    told: int = 0
    tool_runs: list[int] = field(default_factory=list)
    interrupted: dict[int, str] = field(default_factory=dict)

    def says(self, line: Line) -> None:
        self.said.append((line, time.time()))

    def interrupt(self, number: int) -> None:
        """Cut off the last quarter of the agent's sentence `number` (1, 2, 3 …): the driver interrupted it."""
        line, at = self.said[number - 1]
        self.interrupted[number] = line.text
        words = line.text.split()
        self.said[number - 1] = Line(line.role, " ".join(words[: len(words) * 3 // 4])), at

    def fill(self, text: str) -> str:
        return text.format(**self.details)


def new_call(scenario: Scenario) -> SimulatedCall:
    """Return a call that begins now, with another driver than the call before."""
    number = next(_numbers)
    drivers = _DRIVERS[scenario.language]
    place = (number // len(SCENARIOS) + number) % len(drivers)
    driver_id = f"DRV-{list(_DRIVERS).index(scenario.language) + 1}{place + 1:02}"
    hour = 8 + secrets.randbelow(9)
    by_sip = number % 2 == 1
    details = {
        "first_name": drivers[place].split()[0],
        "truck": f"NF-{secrets.randbelow(900) + 100}",
        "city": secrets.choice(_CITIES[scenario.language]),
        "time": f"{hour}:00",
        "new_time": f"{hour}:45",
        "dock": str(secrets.randbelow(30) + 1),
        "code": " ".join(str(secrets.randbelow(10_000)).zfill(4)),
    }
    return SimulatedCall(
        scenario=scenario,
        driver_id=driver_id,
        driver_name=drivers[place],
        driver_number=f"+15550100{driver_id[-3:]}",
        call_sid=f"EL_{driver_id}_{int(time.time())}_{secrets.token_hex(2)}",
        conversation_id=f"conv_{secrets.token_hex(13)}",
        provider_sid=f"SCL_{secrets.token_hex(6)}" if by_sip else f"CA{secrets.token_hex(16)}",
        by_sip=by_sip,
        details=details,
    )
