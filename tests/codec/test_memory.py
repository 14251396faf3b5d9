"""Memory does not grow with time, faults give back what they took, and an encoder stays within its figure."""

import apart
import pytest

from fastframe.codec import MODES

MIB = 2**20


@apart.measures_memory
def test_100_000_frames_do_not_grow() -> None:
    samples = apart.run(
        """
        random = np.random.default_rng(0)
        frame = pictures.desktop(130, 70)
        patches = [pictures.desktop(20, 15, seed) for seed in range(6)] + [pictures.noise(8, 6)]
        # With small windows and caches all history is full at once, and what grows is a leak.
        limits = ff.Limits(max_window_log=12, max_cache_slots=4)
        encoder, decoder = ff.Encoder(ff.EncoderConfig(effort="fast", limits=limits)), ff.Decoder(limits)
        samples = []
        for number in range(100_000):
            patch = patches[number % len(patches)]
            y, x = number * 7 % 50, number * 13 % 110
            frame[y : y + len(patch), x : x + patch.shape[1]] = patch
            damage = [(x, y, patch.shape[1], len(patch))] if number % 2 else None
            budget = 400 if number % 5 == 0 else None
            # One long epoch, then many short ones.
            keyframe = number > 50_000 and number % 50 == 0
            packet = encoder.encode(frame, damage=damage, budget=budget, keyframe=keyframe)
            decoder.decode(packet)
            if number % 1000 == 0:
                encoder.stats, decoder.stats, decoder.tile_map()
            if number % 5_000 == 4_999:
                samples.append(memory())
        decoder.decode(encoder.encode(frame))
        assert np.array_equal(decoder.frame, pictures.shown(frame))
        report(samples)
        """
    )
    assert len(samples) == 20
    assert max(samples[:10]) - samples[0] < MIB / 2
    assert max(samples[10:]) - samples[10] < MIB


@apart.measures_memory
def test_faults_and_refusals_do_not_grow() -> None:
    samples = apart.run(
        """
        # A small cache is full at once.
        limits = ff.Limits(max_cache_slots=4)
        encoder, decoder = ff.Encoder(ff.EncoderConfig(limits=limits)), ff.Decoder(limits)
        frames = [pictures.desktop(130, 70, 1), pictures.noise(130, 70), pictures.desktop(300, 200)]
        random, samples = np.random.default_rng(0), []
        for round in range(600):
            packet = encoder.encode(frames[round % 3], keyframe=True)
            decoder.decode(packet)
            following = encoder.encode(frames[round % 3][::-1])
            fields = packets.parse(following)
            fields.planes = {number: (size + 1, data) for number, (size, data) in fields.planes.items()}
            hashed = packets.parse(packet)
            hashed.frame_hash, hashed.epoch = 7, hashed.epoch + 1
            for bad in (
                b"", following[:-1], following + b"x", packet, hashed.build(), fields.build(),
                packets.keyframe((2000, 1000), 2**31 - 5, operations=bytes([0, 9])),
                packets.seal(b"\\xf1" + random.bytes(300)),
            ):
                try:
                    decoder.decode(bad)
                    raise SystemExit("a bad packet was accepted")
                except ff.RemoteProtocolError:
                    pass
            for frame, arguments in (
                (None, {}), (frames[0][:, ::2], {}), (frames[0].astype(int), {}),
                (frames[0], {"damage": [(1, 2)]}), (frames[0], {"budget": 0}),
            ):
                try:
                    encoder.encode(frame, **arguments)
                    raise SystemExit("a bad frame was accepted")
                except ff.LocalProtocolError:
                    pass
            if round % 60 == 59:
                samples.append(memory())
        report(samples)
        """
    )
    assert len(samples) == 10
    # A kilobyte lost each time would come to more than this.
    assert max(samples[1:]) - samples[0] < MIB


@apart.measures_memory
def test_encoders_and_decoders_give_back_what_they_took() -> None:
    samples = apart.run(
        """
        frames = [pictures.desktop(640, 480), pictures.noise(640, 480)]
        samples = []
        for round in range(60):
            encoder, decoder = ff.Encoder(), ff.Decoder()
            for frame in frames:
                decoder.decode(encoder.encode(frame))
            encoder.encode(frames[0][:200])
            del encoder, decoder
            if round % 6 == 5:
                samples.append(memory())
        report(samples)
        """
    )
    # A pair of them takes about 30 MiB.
    assert max(samples[1:]) - samples[0] < MIB


@apart.measures_memory
def test_memory_of_many_encoders_goes_back_to_the_system() -> None:
    """Not only to the process, in pieces that no further large buffer fits into."""
    rounds = apart.run(
        """
        frame = pictures.desktop(1920, 1080)
        rounds = []
        for round in range(5):
            encoders = [ff.Encoder() for _ in range(10)]
            for encoder in encoders:
                encoder.encode(frame)
            in_use = memory()
            del encoder
            encoders.clear()
            rounds.append((in_use, memory()))
        report(rounds)
        """
    )
    # Much of the rest are zstd's contexts, which malloc keeps.
    assert all(after < in_use / 2 for in_use, after in rounds), rounds


@apart.measures_memory
@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
def test_an_encoder_stays_within_its_figure(effort: str) -> None:
    """At most 96 MiB beyond two frames, at 1080p, whatever has been on the screen."""
    peak, modes = apart.run(
        """
        width, height = 1920, 1080
        random = np.random.default_rng(0)
        noise = random.integers(0, 256, (2, height, width, 4), np.uint8)
        sparse = noise[1].copy()
        sparse[::7, ::5] ^= 3
        colours = random.integers(0, 256, (200, 4), np.uint8)
        blocks = colours[random.integers(0, len(colours), (2, height // 4, width // 4))]
        blocks = blocks.repeat(4, axis=1).repeat(4, axis=2)
        page = pictures.desktop(width + 300, height + 300, 7)
        scrolled = [page[y : y + height, x : x + width] for y, x in ((0, 0), (37, 0), (300, 11), (80, 290))]
        dotted = scrolled[-1].copy()
        dotted[::9, ::7] = 99
        # What stands still enters the tile cache.
        frames = [*noise, sparse, blocks[0], *[blocks[1]] * 5, *scrolled, dotted]
        frames += [pictures.desktop(width, height)] * 5
        ff.Encoder(ff.EncoderConfig(effort=sys.argv[2])).encode(page[:64, :64])
        before, modes = memory(), set()
        encoder = ff.Encoder(ff.EncoderConfig(effort=sys.argv[2]))
        forget_peak()
        for frame in frames * 2:
            encoder.encode(frame)
            modes |= {mode for mode, count in encoder.stats.tiles.items() if count}
        report([memory("VmHWM") - before, sorted(modes)])
        """,
        effort,
    )
    tight = ["cached", "copy", "modelled", "palette", "unchanged"]
    assert modes == (tight if effort == "tight" else sorted(set(MODES) - {"modelled"}))
    frame = 1920 * 1080 * 4
    assert peak <= 96 * MIB + 2 * frame
