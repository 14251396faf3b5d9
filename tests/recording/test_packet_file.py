"""The packet file: what was written comes back, what is damaged is named, what was there before stays."""

import io
import os
import resource
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastframe import Limits
from fastframe.errors import LocalProtocolError, RecordingError
from fastframe.recording import PacketReader, PacketWriter

PACKETS = [(0, b"key"), (66_667, b"\0" * 300), (66_667, b"x"), (2**63 - 1, bytes(range(256)))]
HEADER = b"\x89FFS\r\n\x1a\x01"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "some.ffs"
    with PacketWriter(path) as writer:
        for timestamp, packet in PACKETS:
            writer.write(timestamp, packet)
    return path


def read(path: Path, limits: Limits | None = None) -> tuple[list[tuple[int, bytes]], str | None]:
    """The records of a file, and what its reader complained about."""
    records = []
    try:
        with PacketReader(path, limits=limits) as reader:
            for record in reader:
                records.append((record.timestamp, record.packet))
    except RecordingError as error:
        return records, str(error)
    return records, None


def test_gives_back_what_was_written(recording: Path) -> None:
    assert read(recording) == (PACKETS, None)


def test_layout_is_the_documented_one(recording: Path) -> None:
    expected = HEADER
    for timestamp, packet in PACKETS:
        expected += len(packet).to_bytes(4, "little") + timestamp.to_bytes(8, "little") + packet
    assert recording.read_bytes() == expected


def test_offsets_lead_to_the_records(recording: Path) -> None:
    data = recording.read_bytes()
    with PacketReader(recording) as reader:
        for record in reader:
            assert data[record.offset + 12 :].startswith(record.packet)


def test_reads_from_a_pipe(recording: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ffs"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(recording.read_bytes()))
    feeder.start()
    assert read(pipe) == (PACKETS, None)
    feeder.join()


def test_a_cut_is_reported_after_every_whole_record(recording: Path, tmp_path: Path) -> None:
    data = recording.read_bytes()
    ends = [len(HEADER)]
    for _, packet in PACKETS:
        ends.append(ends[-1] + 12 + len(packet))
    cut = tmp_path / "cut.ffs"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        records, complaint = read(cut)
        if length < len(HEADER):
            assert (records, complaint) == ([], f"{cut} is no fastframe recording")
            continue
        whole = sum(end <= length for end in ends) - 1
        assert records == PACKETS[:whole]
        if length in ends:
            assert complaint is None  # Nothing tells a file that was cut between two records from a shorter one.
        else:
            assert complaint is not None
            assert f"is cut: the record at offset {ends[whole]} " in complaint


@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_refused_or_read_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, with_header: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.ffs"
    path.write_bytes(HEADER * with_header + data)
    records, complaint = read(path)
    assert sum(12 + len(packet) for _, packet in records) <= len(data)
    assert with_header or complaint is not None


def test_a_file_of_another_version_is_refused_by_name(recording: Path) -> None:
    recording.write_bytes(HEADER[:7] + b"\x07" + recording.read_bytes()[8:])
    _, complaint = read(recording)
    assert complaint == f"{recording} is a recording of version 7, but this reader knows version 1"


def test_a_packet_beyond_the_limit_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "long.ffs"
    path.write_bytes(HEADER + (200 * 2**20).to_bytes(4, "little") + bytes(8) + b"abc")
    _, complaint = read(path)
    assert complaint == f"{path} is damaged at offset 8: a packet of 209715200 bytes (1 to 134217728 are allowed)"


def test_a_length_that_lies_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "lie.ffs"
    path.write_bytes(HEADER + (128 * 2**20).to_bytes(4, "little") + bytes(8) + b"abc")
    tracemalloc.start()
    _, complaint = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert complaint == f"{path} is cut: the record at offset 8 has 15 of 134217740 bytes"
    assert peak < 4 * 2**20


def test_the_limit_is_the_callers(recording: Path) -> None:
    records, complaint = read(recording, Limits(max_packet_bytes=10))
    assert records == PACKETS[:1]
    assert complaint is not None
    assert "a packet of 300 bytes (1 to 10 are allowed)" in complaint


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (b"\0\0\0\0" + bytes(8), "a packet of 0 bytes"),
        (b"\1\0\0\0" + b"\xff" * 8 + b"x", f"timestamp {2**64 - 1} after 5"),
        (b"\1\0\0\0" + (4).to_bytes(8, "little") + b"x", "timestamp 4 after 5"),
    ],
)
def test_damage_is_named_with_its_offset(tmp_path: Path, record: bytes, complaint: str) -> None:
    path = tmp_path / "damaged.ffs"
    path.write_bytes(HEADER + b"\1\0\0\0" + (5).to_bytes(8, "little") + b"x" + record)
    records, message = read(path)
    assert records == [(5, b"x")]
    assert message is not None
    assert message.startswith(f"{path} is damaged at offset 21: {complaint}")


@pytest.mark.parametrize(
    ("timestamp", "packet"),
    [
        (4, b"x"),
        (-1, b"x"),
        (2**63, b"x"),
        (6.5, b"x"),
        (True, b"x"),
        (5, b""),
        (5, b"too long"),
        (5, "text"),
        (5, None),
    ],
)
def test_the_writer_refuses_what_no_reader_takes(tmp_path: Path, timestamp: Any, packet: Any) -> None:
    path = tmp_path / "out.ffs"
    with PacketWriter(path, limits=Limits(max_packet_bytes=4)) as writer:
        writer.write(5, b"fine")
        with pytest.raises(LocalProtocolError):
            writer.write(timestamp, packet)
    assert read(path) == ([(5, b"fine")], None)


def test_any_bytes_like_object_is_written_as_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "out.ffs"
    with PacketWriter(path) as writer:
        writer.write(0, memoryview(b"12345678").cast("I"))
        writer.write(1, memoryview(b"x"))
    assert read(path) == ([(0, b"12345678"), (1, b"x")], None)


def test_a_failure_leaves_the_earlier_file_and_nothing_else(recording: Path) -> None:
    before = recording.read_bytes()

    def fail() -> None:
        with PacketWriter(recording) as writer:
            writer.write(0, b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert recording.read_bytes() == before
    assert list(recording.parent.iterdir()) == [recording]


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new.ffs"
    with PacketWriter(path) as writer:
        writer.write(0, b"x")
        assert not path.exists()
    assert read(path) == ([(0, b"x")], None)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_ends_a_recording_and_leaves_the_earlier_file(recording: Path) -> None:
    before = recording.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = PacketWriter(recording)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(RecordingError, match=f"cannot write {recording}: File too large"):
            writer.write(0, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for go_on in (lambda: writer.write(1, b"later"), writer.close):
        with pytest.raises(RecordingError, match=f"cannot write {recording}: it was discarded"):
            go_on()
    writer.discard()
    assert recording.read_bytes() == before
    assert list(recording.parent.iterdir()) == [recording]


def test_a_file_that_is_open_is_read_from_where_it_stands_and_stays_open(recording: Path) -> None:
    file = io.BytesIO(b"before" + recording.read_bytes())
    file.seek(6)
    with PacketReader(file) as reader:
        packets = list(reader)
    assert not file.closed
    with PacketReader(recording) as reader:
        assert packets == list(reader)
        assert reader.name == str(recording)


def test_a_pipe_that_does_not_wait_has_no_end_before_its_end(recording: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb") as file, open(writing, "wb") as feeder:
        feeder.write(recording.read_bytes()[:40])
        feeder.flush()
        with PacketReader(file) as reader:
            packets = iter(reader)
            assert next(packets).packet == b"key"
            with pytest.raises(RecordingError, match="does not wait for what is still to come"):
                next(packets)


def test_a_file_that_was_given_closed_is_refused(recording: Path) -> None:
    file = recording.open("rb")
    file.close()
    with pytest.raises(RecordingError, match="cannot read"):
        PacketReader(file)


@pytest.mark.parametrize("source", [None, 3, io.StringIO("text")])
def test_what_is_neither_a_path_nor_a_binary_file_is_refused(source: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a path or a binary file"):
        PacketReader(source)


@pytest.mark.parametrize("limits", [0, [], "x", object()])
def test_limits_that_are_none_are_refused(recording: Path, limits: Any) -> None:
    for kind in (PacketReader, PacketWriter):
        with pytest.raises(LocalProtocolError, match="limits must be of the type Limits"):
            kind(recording, limits=limits)
    assert list(recording.parent.iterdir()) == [recording]


def test_a_recording_may_be_closed_again_but_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "new.ffs"
    with PacketWriter(path) as writer:
        writer.write(np.int64(7), b"x")  # type: ignore[arg-type]
        writer.close()
    with pytest.raises(RecordingError, match=f"cannot write {path}: it is complete"):
        writer.write(8, b"y")
    assert read(path) == ([(7, b"x")], None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing/out.ffs", "No such file or directory"),
        ("", "it is a folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_created_is_one_line(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(RecordingError, match=f"^cannot write .*{tmp_path}.*: {why}$"):
        PacketWriter(tmp_path / name)


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ffs"
    os.mkfifo(pipe)
    with pytest.raises(RecordingError, match=f"cannot write {pipe}: it is no file"):
        PacketWriter(pipe)
    assert pipe.is_fifo()


@pytest.mark.parametrize(("name", "why"), [("missing.ffs", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(RecordingError, match=f"cannot read {tmp_path / name}: {why}"):
        PacketReader(tmp_path / name)
