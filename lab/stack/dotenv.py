"""`python -m lab.stack.dotenv`: write the first `.env` of a checkout, from `.env.example` with new secrets."""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def fresh(example: str) -> str:
    """Return the text of `.env.example` with random values for its empty secrets."""
    filled = {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "ELEVENLABS_WEBHOOK_SECRET": f"wsec_{secrets.token_hex(32)}",
        "ELEVENLABS_TOOL_SECRET": secrets.token_urlsafe(32),
    }
    for name, value in filled.items():
        example, found = re.subn(rf"(?m)^{name}=$", f"{name}={value}", example)
        if found != 1:
            raise ValueError(f".env.example has {found} empty lines {name}=, not one")
    return example


def main(folder: Path = CHECKOUT) -> int:
    """Write `.env`, readable only by its owner, unless the file exists."""
    target = folder / ".env"
    if not target.exists():
        text = fresh((folder / ".env.example").read_text())
        target.touch(mode=0o600)
        target.write_text(text)
        print("dotenv: wrote .env with new secrets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
