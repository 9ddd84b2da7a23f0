"""Who gets in, and how they prove it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scramp import ScramClient  # type: ignore[import-untyped]

from nearshift.access import passwords
from nearshift.access.passwords import md5_text
from nearshift.errors import PermissionDenied
from nearshift.wire import Credential, Method, scram
from nearshift.wire.auth import Caller, decide_method
from nearshift.wire.framing import ProtocolViolation
from nearshift.wire.messages import LoginAnswer, Query

BOTH = Credential.of_password("ada", "secret")
MD5_ONLY = Credential(md5=md5_text("ada", "secret"))
SCRAM_ONLY = Credential(verifier=passwords.Verifier.of("secret"))
HERE = Caller("ada", is_local=True, is_encrypted=False, is_redshift_driver=False)
AWAY = Caller("ada", is_local=False, is_encrypted=False, is_redshift_driver=False)
DRIVER = Caller("ada", is_local=False, is_encrypted=False, is_redshift_driver=True)
DRIVER_TLS = Caller("ada", is_local=False, is_encrypted=True, is_redshift_driver=True)


def sqlstate(replies: list[tuple[str, bytes]]) -> str:
    (body,) = [body for kind, body in replies if kind == "E"]
    return next(part[1:].decode() for part in body.split(b"\0") if part.startswith(b"C"))


@pytest.mark.parametrize(
    ("credential", "caller", "wanted", "method"),
    [
        (None, HERE, None, Method.TRUST),
        (BOTH, HERE, None, Method.SCRAM),
        (BOTH, AWAY, None, Method.SCRAM),
        (BOTH, DRIVER, None, Method.MD5),
        (MD5_ONLY, AWAY, None, Method.MD5),
        (SCRAM_ONLY, DRIVER_TLS, None, Method.CLEARTEXT),
        (BOTH, HERE, Method.TRUST, Method.SCRAM),
        (BOTH, HERE, Method.CLEARTEXT, Method.CLEARTEXT),
        (BOTH, AWAY, Method.MD5, Method.MD5),
        (SCRAM_ONLY, HERE, Method.MD5, Method.CLEARTEXT),
    ],
)
def test_the_method_follows_from_what_is_kept_and_who_calls(
    credential: Credential | None, caller: Caller, wanted: Method | None, method: Method
) -> None:
    assert decide_method(credential, caller, wanted) is method


@pytest.mark.parametrize(
    ("credential", "caller", "wanted", "state"),
    [
        (None, AWAY, None, "28000"),
        (SCRAM_ONLY, DRIVER, None, "28000"),
        (BOTH, AWAY, Method.CLEARTEXT, "28000"),
        (MD5_ONLY, AWAY, Method.SCRAM, "28P01"),
        (Credential(), AWAY, None, "28000"),
    ],
)
def test_there_may_be_no_acceptable_way(credential: Credential | None, caller: Caller, wanted: Method | None, state: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        decide_method(credential, caller, wanted)
    assert caught.value.sqlstate == state


def test_a_user_without_a_password_gets_in_from_this_machine_only(new_talk: Callable[..., Any]) -> None:
    assert new_talk().begin()[-1][0] == "Z"
    away = new_talk(is_local=False)
    assert sqlstate(away.begin()) == "28000"
    assert away.step.name == "END"


def test_a_credential_of_nothing_lets_nobody_in(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = Credential()
    talk = new_talk()
    assert talk.begin() == [("R", struct.pack("!i", 3))]
    assert sqlstate(talk.say(LoginAnswer(b"\0"))) == "28P01"


def test_a_user_that_does_not_exist_is_asked_like_any_other(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = Credential.of_nobody()
    assert sqlstate(scram_login(new_talk(), "secret")) == "28P01"
    assert Credential.of_nobody() != Credential.of_nobody()


def test_cleartext(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = BOTH
    for password, end in ((b"secret\0", "Z"), (b"Secret\0", "E"), (b"\0", "E")):
        talk = new_talk(method=Method.CLEARTEXT)
        assert talk.begin() == [("R", struct.pack("!i", 3))]
        assert talk.say(LoginAnswer(password))[-1][0] == end


def test_md5(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = BOTH
    for password, end in (("secret", "Z"), ("wrong", "E")):
        talk = new_talk()
        ((kind, body),) = talk.begin(driver_version="Redshift Python Driver")
        assert (kind, body[:4]) == ("R", struct.pack("!i", 5))
        inner = hashlib.md5(f"{password}ada".encode()).hexdigest()
        digest = hashlib.md5(inner.encode() + body[4:]).hexdigest()
        replies = talk.say(LoginAnswer(f"md5{digest}".encode() + b"\0"))
        assert replies[-1][0] == end
    assert sqlstate(replies) == "28P01"
    assert b'password authentication failed for user "ada"' in replies[-1][1]


def scram_login(talk: Any, password: str) -> list[tuple[str, bytes]]:
    assert talk.begin() == [("R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")]
    client = ScramClient(["SCRAM-SHA-256"], "ada", password)
    first = client.get_client_first().encode()
    ((kind, body),) = talk.say(LoginAnswer(b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
    assert (kind, body[:4]) == ("R", struct.pack("!i", 11))
    client.set_server_first(body[4:].decode())
    replies: list[tuple[str, bytes]] = talk.say(LoginAnswer(client.get_client_final().encode()))
    if replies[0][0] == "R":
        client.set_server_final(replies[0][1][4:].decode())
    return replies


@pytest.mark.parametrize("password", ["secret", "pässwörd", "a,b=c", "Ⅸ"])
def test_scram_with_another_implementation(new_talk: Callable[..., Any], gate: Any, password: str) -> None:
    gate.passwords["ada"] = Credential.of_password("ada", password)
    replies = scram_login(new_talk(), password)
    assert [kind for kind, _ in replies[:2]] == ["R", "R"]
    assert replies[-1][0] == "Z"
    assert sqlstate(scram_login(new_talk(), password + "x")) == "28P01"


def test_an_answer_replayed_from_another_login_is_refused() -> None:
    verifier = passwords.Verifier.of("secret")
    client = ScramClient(["SCRAM-SHA-256"], "ada", "secret")
    first = client.get_client_first()
    client.set_server_first(scram.Dialogue(verifier).first(first))
    other = scram.Dialogue(verifier)
    other.first(first)
    with pytest.raises(ProtocolViolation):
        other.final(client.get_client_final())


@pytest.mark.parametrize(
    "first",
    ["", "n", "n,,", "n,,n=a", "p=tls-unique,,n=a,r=b", "x,,n=a,r=b", "n,a=other,n=a,r=b", "n,,n=a,r=", "n,,m=x,n=a,r=b", "n,,r=b,n=a"],
)
def test_a_malformed_first_message_ends_the_login(first: str) -> None:
    with pytest.raises(ProtocolViolation):
        scram.Dialogue(passwords.Verifier.of("secret", b"salt", 1)).first(first)


@pytest.mark.parametrize("final", ["", "c=biws", "c=biws,r=wrong,p=AA==", "c=eSws,r=cs,p=AA==", "c=biws,r=cs,p=!", "c=biws,r=cs,p=AA=="])
def test_a_malformed_final_message_ends_the_login(final: str) -> None:
    dialogue = scram.Dialogue(passwords.Verifier.of("secret", b"salt", 1), nonce="s")
    dialogue.first("n,,n=a,r=c")
    with pytest.raises(ProtocolViolation):
        dialogue.final(final)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_the_dialogue_in_another_way(first: str, final: str) -> None:
    dialogue = scram.Dialogue(passwords.Verifier(1, b"salt", bytes(32), bytes(32)))
    try:
        dialogue.first(first)
        assert dialogue.final(final) is None
    except ProtocolViolation:
        pass


def test_the_verifier_is_postgresqls() -> None:
    # made by PostgreSQL's own scram_build_secret for password "foobar" and a salt of sixteen bytes
    salt = bytes(range(16))
    salted = hashlib.pbkdf2_hmac("sha256", b"foobar", salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = "SCRAM-SHA-256$4096:" + "$".join(
        [
            base64.b64encode(salt).decode(),
            base64.b64encode(stored).decode() + ":" + base64.b64encode(server).decode(),
        ]
    )
    assert str(passwords.Verifier.of("foobar", salt)) == text
    assert passwords.Verifier.parse(text) == passwords.Verifier.of("foobar", salt)


@pytest.mark.parametrize("text", ["", "x", "SCRAM-SHA-256$1:a$b:c", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA"])
def test_what_is_no_verifier_is_not_taken_for_one(text: str) -> None:
    assert passwords.Verifier.parse(text) is None


def test_a_credential_is_kept_as_text_and_never_shown() -> None:
    assert Credential.parse(str(BOTH)) == BOTH
    assert Credential.parse(str(MD5_ONLY)) == MD5_ONLY
    assert Credential.parse(str(SCRAM_ONLY)) == SCRAM_ONLY
    assert repr(BOTH) == "Credential(md5=yes, scram=yes, sha256=no)"
    assert BOTH.matches("ada", "secret")
    assert MD5_ONLY.matches("ada", "secret")
    assert not BOTH.matches("ada", "Secret")


def test_queries_before_the_password_end_the_connection(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = BOTH
    talk = new_talk()
    talk.begin()
    assert sqlstate(talk.say(Query("select 1"))) == "08P01"
    assert talk.step.name == "END"
    assert gate.opened == []


def test_a_password_of_megabytes_is_not_kept(new_talk: Callable[..., Any], gate: Any) -> None:
    gate.passwords["ada"] = BOTH
    talk = new_talk()
    talk.begin()
    assert sqlstate(talk.put(b"p" + struct.pack("!i", 1 << 20) + b"x" * (1 << 20))) == "08P01"
