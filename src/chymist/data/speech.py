"""Recordings as spectra: WAV files, and the energy of short frames on the mel scale."""

from __future__ import annotations

import io
import wave

import numpy as np

from chymist.errors import InputError

SILENCE = 1e-8  # energy that is added before the logarithm, of a signal in [-1, 1]


def read_wav(content: bytes, name: str, rate: int) -> np.ndarray:
    """A recording of one channel and 16 bits.

    Args:
        content: of the file.
        name: of the file, for messages.
        rate: samples per second that it must have.

    Returns:
        Samples in [-1, 1), float32 (samples,).

    Raises:
        InputError: no such WAV file, or another rate.
    """
    try:
        with wave.open(io.BytesIO(content)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        raise InputError("no WAV file that can be read", where=name,
                         received=str(error)[:60] or "a file that is cut off",
                         do="store it as PCM of 16 bits") from None  # fmt: skip
    if form != (1, 2, rate) or not len(frames) or len(frames) % 2:
        raise InputError(
            f"a recording of one channel, 16 bits and {rate} samples a second is needed",
            where=name, do="convert it",
            received=f"{form[0]} channels, {8 * form[1]} bits, {form[2]} Hz, {len(frames)} bytes",
        )  # fmt: skip
    samples: np.ndarray = np.frombuffer(frames, "<i2").astype(np.float32) / 32768
    return samples


def log_mel(
    signal: np.ndarray, rate: int, bands: int = 40, window: float = 0.025, hop: float = 0.010
) -> np.ndarray:
    """Logarithm of the energy of short frames, in bands that are equally wide on the mel scale.

    Each frame of `window` seconds is weighted by a Hann window; its power spectrum |X_k|^2 / n is
    summed up with triangular weights, and log(. + 1e-8) is taken.

    Args:
        signal: samples in [-1, 1), (samples,).
        rate: samples per second.
        bands: number of bands from 0 to half the rate.
        window: seconds of a frame.
        hop: seconds from frame to frame.

    Returns:
        (frames, bands), float32; a signal that is shorter than a frame is filled up with silence.

    Example:
        >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
        >>> made = log_mel(tone, 8000)
        >>> made.shape, int(made.mean(0).argmax())
        ((98, 40), 18)

    Source: Davis, Mermelstein 1980 (without the cosine transform); mel(f) = 2595 log10(1 + f/700).
    """
    length, step = round(window * rate), round(hop * rate)
    signal = np.pad(signal, (0, max(0, length - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(signal, length)[::step]
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(frames * np.hanning(length), size)
    power = (spectrum.real**2 + spectrum.imag**2) / size
    made: np.ndarray = np.log(power @ mel_weights(bands, size, rate) + SILENCE)
    return made.astype(np.float32)


def mel_weights(bands: int, size: int, rate: int) -> np.ndarray:
    """Triangles on the mel scale, each from the centre of the band below to that of the one above.

    Args:
        bands: number of bands.
        size: points of the Fourier transform.
        rate: samples per second.

    Returns:
        (size / 2 + 1, bands).

    Example:
        >>> bool(mel_weights(3, 512, 8000).max() <= 1)
        True
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    heights = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (heights - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - heights) / (edges[2:] - edges[1:-1])
    weights: np.ndarray = np.clip(np.minimum(rising, falling), 0, None)
    return weights


def last_frames(spectra: np.ndarray, frames: int) -> np.ndarray:
    """A spectrum of so many frames: silence comes before it, what is too long loses its end.

    Args:
        spectra: (frames of the recording, bands).
        frames: wanted.

    Returns:
        (frames, bands), float32.

    Example:
        >>> last_frames(np.zeros((2, 1)), 3).ravel()
        array([-18.420681,   0.      ,   0.      ], dtype=float32)
    """
    made = np.full((frames, spectra.shape[1]), np.log(SILENCE), np.float32)
    kept = spectra[:frames]
    made[frames - len(kept) :] = kept
    return made
