"""Conversations without a socket: what is answered, in which order, after which error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from nearshift import limits
from nearshift.wire.messages import (
    Bind,
    Close,
    Describe,
    Execute,
    Flush,
    FunctionCall,
    Parse,
    Query,
    Sendable,
    Sync,
    Terminate,
    encode_message,
)

Replies = list[tuple[str, bytes]]


def kinds(replies: Replies) -> str:
    return "".join(kind for kind, _ in replies)


def fields(replies: Replies) -> dict[str, str]:
    """The fields of the one error or notice among the replies."""
    (body,) = [body for kind, body in replies if kind in "EN"]
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def packet(code: int, body: bytes) -> bytes:
    return struct.pack("!ii", len(body) + 8, code) + body


def row(*values: bytes | None) -> bytes:
    parts = [b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value for value in values]
    return struct.pack("!H", len(values)) + b"".join(parts)


def test_startup_tells_the_settings_and_the_key(new_talk: Callable[..., Any], gate: Any) -> None:
    replies = new_talk().begin(database="dev", application_name="tester")
    assert kinds(replies).replace("S", "") == "RKZ"
    assert replies[0] == ("R", struct.pack("!i", 0))
    told = dict(body.split(b"\0")[:2] for kind, body in replies if kind == "S")
    assert told[b"server_version"] == b"8.0.2"
    assert told[b"application_name"] == b"tester"
    assert b"server_protocol_version" not in told
    assert replies[-1] == ("Z", b"I")
    assert gate.opened[0].options == {"application_name": "tester"}


def test_settings_in_options_reach_the_session_and_a_drivers_talk_of_itself_does_not(new_talk: Callable[..., Any], gate: Any) -> None:
    options = r"-c search_path=a\ b --statement-timeout=5 -cDateStyle=ISO"
    replies = new_talk().begin(options=options, driver_version="x", os_version="y", plugin_name="z", client_protocol_version="9")
    assert gate.opened[0].options == {"search_path": "a b", "statement_timeout": "5", "DateStyle": "ISO"}
    assert ("S", b"server_protocol_version\x002\0") in replies


def test_a_newer_minor_version_is_negotiated_down(new_talk: Callable[..., Any]) -> None:
    from nearshift.wire.startup import Startup

    replies = new_talk().put(Startup(3 << 16 | 2, {"user": "ada", "_pq_.strange": "1"}).encode())
    assert replies[0] == ("v", struct.pack("!ii", 3 << 16, 1) + b"_pq_.strange\0")
    assert replies[1][0] == "R"


@pytest.mark.parametrize(
    ("packet", "sqlstate"),
    [
        (packet(2 << 16, b"\0"), "0A000"),
        (struct.pack("!ii", 4, 0), "08P01"),
        (struct.pack("!ii", limits.WIRE_STARTUP_BYTES_MAX + 1, 3 << 16), "08P01"),
        (packet(3 << 16, b""), "08P01"),
        (packet(3 << 16, b"\0"), "28000"),
        (packet(3 << 16, b"user\0a\0"), "08P01"),
        (packet(3 << 16, b"user\0a\0\0\0\0"), "08P01"),
        (packet(3 << 16, b"\xff\0b\0\0"), "22021"),
        (packet(80877102, b"\0"), "08P01"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (packet(3 << 16, b"user\0a\0replication\0true\0\0"), "0A000"),
    ],
)
def test_what_is_no_startup_packet_is_refused_and_the_connection_ended(
    new_talk: Callable[..., Any], packet: bytes, sqlstate: str
) -> None:
    talk = new_talk()
    replies = talk.put(packet)
    assert kinds(replies) == "E"
    assert fields(replies)["C"] == sqlstate
    assert fields(replies)["S"] == "FATAL"
    assert talk.step.name == "END"


def test_requests_for_encryption_are_declined_where_there_is_none(new_talk: Callable[..., Any]) -> None:
    talk = new_talk()
    assert talk.conversation.receive(struct.pack("!ii", 8, 80877104)).name == "GO_ON"
    assert talk.conversation.receive(struct.pack("!ii", 8, 80877103)).name == "GO_ON"
    assert b"".join(talk.sent) == b"NN"
    assert kinds(talk.begin())[-1] == "Z"


def test_bytes_sent_in_the_clear_behind_a_request_for_tls_are_refused(new_talk: Callable[..., Any]) -> None:
    talk = new_talk(has_tls=True)
    assert fields(talk.put(struct.pack("!ii", 8, 80877103) + b"x"))["C"] == "08P01"
    assert talk.step.name == "END"


def test_a_simple_query_is_answered_by_description_rows_tag_and_ready(talk: Any) -> None:
    replies = talk.say(Query("select 1::int as a, null as b, 'é' as c"))
    assert replies == [
        ("T", b"\0\3" + b"a\0" + struct.pack("!ihIhih", 0, 0, 23, 4, -1, 0) + b"b\0" + struct.pack("!ihIhih", 0, 0, 705, -1, -1, 0)
         + b"c\0" + struct.pack("!ihIhih", 0, 0, 1043, -1, -1, 0)),
        ("D", row(b"1", None, "é".encode())), ("C", b"SELECT 1\0"), ("Z", b"I"),
    ]  # fmt: skip


def test_a_script_answers_each_statement_and_stops_at_the_first_error(talk: Any) -> None:
    replies = talk.say(Query("select 1; set x = 2; select oops from; select 3"))
    assert kinds(replies) == "TDCCESZ"
    assert fields(replies) == {
        "S": "ERROR", "V": "ERROR", "C": "42601", "M": "syntax error", "D": "Parser Error: syntax", "H": "Write SQL.", "P": "9",
    }  # fmt: skip


def test_an_error_tells_where_in_a_procedure_it_happened(talk: Any) -> None:
    assert fields(talk.say(Query("select * from nowhere")))["W"] == "PL/pgSQL function p() line 3"


def test_an_empty_script_is_answered_as_such(talk: Any) -> None:
    assert kinds(talk.say(Query(" ;; "))) == "IZ"


def test_a_changed_setting_is_told_before_ready(talk: Any) -> None:
    replies = talk.say(Query("set TimeZone = 'Asia/Kolkata'"))
    assert replies == [("C", b"SET\0"), ("S", b"TimeZone\0Asia/Kolkata\0"), ("Z", b"I")]
    assert talk.say(Query("select timestamptz '2024-01-01 00:00:00+00'"))[1] == ("D", row(b"2024-01-01 05:30:00+05:30"))


def test_notices_are_sent_before_the_statement_ends(talk: Any) -> None:
    replies = talk.say(Query("notice half way"))
    assert kinds(replies) == "NCZ"
    assert fields(replies) == {"S": "INFO", "V": "INFO", "C": "00000", "M": "half way", "H": "none"}
    assert len(talk.sent) == 2


def test_an_extended_batch_is_one_write(talk: Any) -> None:
    replies = talk.say(
        Parse("s", "select $1::int + 1 as n", (23,)), Describe("S", "s"), Bind("", "s", (1,), (struct.pack("!i", 41),), (1,)),
        Describe("P", ""), Execute(""), Close("S", "s"), Sync(),
    )  # fmt: skip
    assert kinds(replies) == "1tT2TDC3Z"
    assert replies[1] == ("t", struct.pack("!HI", 1, 23))
    assert replies[5] == ("D", row(struct.pack("!i", 42)))
    assert len(talk.sent) == 1


def test_nothing_is_sent_before_sync_or_flush(talk: Any) -> None:
    assert talk.say(Parse("", "select 1")) == []
    assert kinds(talk.say(Flush())) == "1"


def test_after_an_error_everything_up_to_sync_is_skipped(talk: Any) -> None:
    replies = talk.say(Parse("", "select oops from"), Bind("", ""), Execute(""), Query("select 1"), Sync(), Query("select 2"))
    assert kinds(replies) == "EZTDCZ"


def test_a_statement_without_rows_has_no_data(talk: Any) -> None:
    replies = talk.say(Parse("", "begin"), Bind("", ""), Describe("P", ""), Execute(""), Sync())
    assert kinds(replies) == "12nCZ"
    assert replies[-1] == ("Z", b"T")


@pytest.mark.parametrize("text", ["", " ; ", "-- just a look", "/* a /* nested */ one */ ; -- end"])
def test_an_empty_statement_can_be_prepared_and_run(talk: Any, text: str) -> None:
    replies = talk.say(Parse("", text), Describe("S", ""), Bind("", ""), Describe("P", ""), Execute(""), Sync())
    assert kinds(replies) == "1tn2nIZ"


@pytest.mark.parametrize(
    ("messages", "sqlstate"),
    [
        ([Bind("", "ghost")], "26000"), ([Describe("S", "ghost")], "26000"), ([Describe("P", "ghost")], "34000"),
        ([Execute("ghost")], "34000"),
        ([Parse("s", "select 1"), Parse("s", "select 2")], "42P05"),
        ([Parse("s", "select 1"), Bind("p", "s"), Bind("p", "s")], "42P03"),
        ([Parse("", "select $1", (999999,))], "42704"),
        ([Parse("", "select $1::int", (23,)), Bind("", "")], "08P01"),
        ([Parse("", "select $1::int", (23,)), Bind("", "", (0, 0), (b"1",))], "08P01"),
        ([Parse("", "select 1"), Bind("", "", (), (), (0, 0))], "08P01"),
        ([Parse("", "select 1"), Bind("", "", (), (), (2,))], "22023"),
        ([Parse("", "select $1::int", (23,)), Bind("", "", (0,), (b"x",))], "22P02"),
        ([Parse("", "select $1::int", (23,)), Bind("", "", (1,), (b"x",))], "22P03"),
        ([Parse("", "begin"), Bind("", ""), Execute(""), Execute("")], "55000"),
        ([Parse("", "select \udcff")], "22021"),
    ],
)  # fmt: skip
def test_mistakes_in_extended_messages_are_errors_and_the_conversation_goes_on(talk: Any, messages: list[Any], sqlstate: str) -> None:
    data = b"".join(encode_message(message) for message in messages if not isinstance(message, Parse) or message.text.isprintable())
    for message in messages:
        if isinstance(message, Parse) and not message.text.isprintable():
            body = b"\0select \xff\0\0\0"
            data += b"P" + struct.pack("!i", len(body) + 4) + body
    replies = talk.put(data + encode_message(Sync()))
    assert fields(replies)["C"] == sqlstate
    assert fields(replies)["S"] == "ERROR"
    assert kinds(replies)[-2:] == "EZ"
    assert kinds(talk.say(Query("select 1"))) == "TDCZ"


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\0\0\1\0\0\0\5ab\0\0", b"\0\0\0\0\0\0\0\0extra"])
def test_a_bind_of_another_shape_is_an_error(talk: Any, body: bytes) -> None:
    replies = talk.put(b"B" + struct.pack("!i", len(body) + 4) + body + encode_message(Sync()))
    assert fields(replies)["C"] == "08P01"
    assert kinds(replies) == "EZ"


@pytest.mark.parametrize("data", [b"?\0\0\0\4", b"p\0\0\0\5\0", b"Q\0\0\0\3", b"Q\xff\xff\xff\xff", b"Q\x7f\xff\xff\xff", b"\0\0\0\0\0"])
def test_what_is_no_message_ends_the_connection(talk: Any, data: bytes) -> None:
    replies = talk.put(data)
    assert fields(replies)["C"] == "08P01"
    assert fields(replies)["S"] == "FATAL"
    assert talk.step.name == "END"


def test_the_fast_path_is_refused(talk: Any) -> None:
    replies = talk.say(FunctionCall(b"\0\0\0\1"))
    assert (kinds(replies), fields(replies)["C"]) == ("EZ", "0A000")


def test_copy_messages_without_a_copy_are_ignored(talk: Any) -> None:
    assert talk.put(b"d\0\0\0\5xc\0\0\0\4f\0\0\0\5\0") == []
    assert kinds(talk.say(Query("select 1"))) == "TDCZ"


def test_terminate_ends_without_a_word(talk: Any) -> None:
    assert talk.say(Terminate()) == []
    assert talk.step.name == "END"


def test_a_statement_of_a_hundred_megabytes_is_refused_without_being_kept(talk: Any) -> None:
    size, piece = 100 * limits.MIB, b"x" * limits.MIB
    assert talk.put(b"Q" + struct.pack("!i", size + 4)) == []
    for _ in range(size // len(piece) - 1):
        assert talk.put(piece) == []
    assert len(talk.conversation._receiver._frames) == 0
    replies = talk.put(piece)
    assert (kinds(replies), fields(replies)["C"]) == ("EZ", "54000")
    assert kinds(talk.say(Query("select 1"))) == "TDCZ"


def test_a_statement_above_redshifts_bound_is_refused(talk: Any) -> None:
    text = "select '" + "x" * limits.STATEMENT_BYTES_MAX + "'"
    assert fields(talk.say(Query(text)))["C"] == "54000"
    assert kinds(talk.say(Parse("", text), Sync())) == "EZ"


def test_a_long_extended_message_fails_its_batch(talk: Any) -> None:
    data = b"B" + struct.pack("!i", limits.WIRE_MESSAGE_BYTES_MAX + 1) + b"x" * (limits.WIRE_MESSAGE_BYTES_MAX - 3)
    replies = talk.put(data + encode_message(Execute("")) + encode_message(Sync()))
    assert (kinds(replies), fields(replies)["C"]) == ("EZ", "54000")


def test_the_fourth_connection_of_three_is_told_so(new_talk: Callable[..., Any]) -> None:
    first = new_talk()
    others = [new_talk() for _ in range(3)]
    for other in others:
        other.conversation._keys = first.register
    first.begin()
    assert [kinds(other.begin())[-1] for other in others] == ["Z", "Z", "E"]
    others[0].conversation.close()
    late = new_talk()
    late.conversation._keys = first.register
    assert kinds(late.begin())[-1] == "Z"


def test_an_unknown_database_ends_the_connection(new_talk: Callable[..., Any]) -> None:
    talk = new_talk()
    replies = talk.begin(database="nowhere")
    assert fields(replies)["C"] == "3D000"
    assert talk.step.name == "END"
    talk.conversation.close()
    assert len(talk.register) == 0


@pytest.mark.parametrize("version", [0, 1, 2])
def test_redshifts_protocol_extends_the_description(new_talk: Callable[..., Any], version: int) -> None:
    talk = new_talk()
    assert ("S", f"server_protocol_version\0{version}\0".encode()) in talk.begin(client_protocol_version=str(version))
    (kind, body), *_ = talk.say(Query("select 1::decimal(5,2) as a"))
    plain = b"\0\1a\0" + struct.pack("!ihIhih", 0, 0, 1700, -1, (5 << 16 | 2) + 4, 0)
    assert kind == "T"
    assert body == plain + (b"\0\0\0\0" + struct.pack("!h", 1 | 1 << 12) if version else b"")


def test_bytes_cut_anywhere_are_answered_alike(new_talk: Callable[..., Any]) -> None:
    from nearshift.wire.startup import PROTOCOL_3_0, Startup

    messages: list[Sendable] = [
        Query("select 1; select 2"), Parse("s", "select $1::int", (23,)), Bind("", "s", (), (b"7",)), Execute(""), Sync(),
        Parse("", "select oops from"), Execute(""), Sync(), Terminate(),
    ]  # fmt: skip
    stream = Startup(PROTOCOL_3_0, {"user": "ada"}).encode() + b"".join(encode_message(message) for message in messages)

    def answers(*cuts: int) -> bytes:
        talk, found = new_talk(), b""
        for start, end in zip((0, *cuts), (*cuts, len(stream)), strict=True):
            talk.put(stream[start:end])
            found += b"".join(talk.sent)
        talk.conversation.close()
        key = found.index(b"K\0\0\0\x0c")
        return found[:key] + found[key + 13 :]

    whole = answers()
    assert all(answers(cut) == whole for cut in range(1, len(stream)))
    assert answers(*range(1, len(stream))) == whole
