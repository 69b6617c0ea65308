import re
import stat

import pytest

from lab.stack import dotenv


def test_the_first_env_has_secrets_of_its_own(tmp_path):
    example = (dotenv.CHECKOUT / ".env.example").read_text()
    (tmp_path / ".env.example").write_text(example)
    dotenv.main(tmp_path)
    written = (tmp_path / ".env").read_text()
    assert re.search(r"(?m)^DJANGO_SECRET_KEY=\S{50,}$", written)
    assert re.search(r"(?m)^ELEVENLABS_WEBHOOK_SECRET=wsec_[0-9a-f]{64}$", written)
    assert re.search(r"(?m)^ELEVENLABS_TOOL_SECRET=\S{40,}$", written)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert dotenv.fresh(example) != written, "secrets are random"


def test_an_env_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / ".env").write_text("DJANGO_DEBUG=false\n")
    dotenv.main(tmp_path)
    assert (tmp_path / ".env").read_text() == "DJANGO_DEBUG=false\n"


def test_an_example_without_a_place_for_a_secret_is_an_error():
    with pytest.raises(ValueError, match="DJANGO_SECRET_KEY"):
        dotenv.fresh("DJANGO_DEBUG=true\n")
