"""A full media disk refuses only recordings: no half-written file stays, and the same webhook works later."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import play, read_back
from lab.faults.scenarios.bodies import recording
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 86
FULL_SECONDS = 3.0
ROOM_BYTES = 2**20  # free space that is left, so that a recording fails in its middle
RECORDING_BYTES = 4 * 2**20


async def run(site: Site, folder: Path) -> list[Row]:
    count = site.size.of(short=3, long=20)
    calls = await in_database(lambda: database.register_calls(count))
    media = folder / "media"
    async with site.pair(count=1, env={"FAULTS_MEDIA_ROOT": str(media)}) as pair:
        pid = pair.webs[0].pid
        left_while_full: list[Path] = []

        async def fault() -> None:
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, most))
            with Journal(folder / "recordings" / "senders.jsonl") as sent:
                async with Sender(sent, pair.urls) as sender:
                    kept = asyncio.gather(*(sender.end(call, recording(call, RECORDING_BYTES)) for call in calls))
                    await asyncio.sleep(FULL_SECONDS)
                    left_while_full.extend(files_in(media))
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
                    await kept

        played = await play(folder, pair, turns=60, turns_per_second=10, subscribers=2, fault=fault, fault_from_turn=10)
    Journal(folder / "recordings" / "subscribers.jsonl").close()
    recordings = await read_back(folder / "recordings", calls)
    refused = sum(not sent.acknowledged for sent in recordings.attempts)
    files = files_in(media)
    findings = played.findings() + history.answered_otherwise(recordings.attempts, (200, 500))
    stored = {digest for one in recordings.stored for digest in one.deliveries}
    missing = {sent.key for sent in recordings.attempts if sent.acknowledged} - stored
    findings += [Finding("acknowledged but missing", "recording", digest) for digest in missing]
    if not refused:
        findings.append(Finding("not shown", "media disk", "it took every recording"))
    if left_while_full:
        findings.append(Finding("half-written", "media disk", f"{len(left_while_full)} files while it was full"))
    if len(files) != count:
        findings.append(Finding("lost or left behind", "media disk", f"{len(files)} files of {count} recordings"))
    slowest = played.slowest_webhook_seconds
    return [
        Row(
            "nothing half-written",
            f"media disk full for {FULL_SECONDS:.0f} s while {count} recordings of 4 MiB come; senders retry",
            f"{refused} answers 500, then {count} recordings stored; files left by those refused: "
            f"{len(left_while_full)}; turns meanwhile: {played.share()}, slowest {slowest * 1000:.0f} ms",
            findings,
        )
    ]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
