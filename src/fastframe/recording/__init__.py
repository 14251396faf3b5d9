"""Packets kept in files."""

from fastframe.recording.packet_file import PacketReader, PacketWriter, TimedPacket

__all__ = ["PacketReader", "PacketWriter", "TimedPacket"]
