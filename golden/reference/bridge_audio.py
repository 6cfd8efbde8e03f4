"""Speech as the bridge hears it, and the mel spectrogram that it speaks in."""

import librosa
import numpy as np

SAMPLE_RATE = 16_000
BANDS = 80
HOP = 160
COLUMNS_PER_FRAME = 4

# what it hears: power, 0–8 kHz, the mel scale of HTK, decibels, each band normalised over time
HEARD_LENGTH = 400
# what it speaks: magnitude, 55–7500 Hz, logarithm mapped to [-1, 1]
SPOKEN_LENGTH = 640
SPOKEN_LOWEST, SPOKEN_HIGHEST = 55.0, 7500.0
PREEMPHASIS = 0.97
FLOOR = 1e-5


def heard_decibels(samples):
    """(80, 1 + count // 160): 10 · log10 of the power in each band."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(HEARD_LENGTH) / HEARD_LENGTH)
    spectrum = librosa.stft(
        samples.astype(np.float64), n_fft=HEARD_LENGTH, hop_length=HOP, window=window,
        center=True, pad_mode="reflect")
    power = np.abs(spectrum) ** 2 / (window**2).sum()
    bank = librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=HEARD_LENGTH, n_mels=BANDS, fmin=0, fmax=SAMPLE_RATE / 2, htk=True,
        norm=None, dtype=np.float64)
    return 10 * np.log10(np.maximum(1e-10, bank @ power))


def normalised(decibels):
    """Each band less its mean, divided by its unbiased deviation."""
    mean = decibels.mean(axis=-1, keepdims=True)
    deviation = decibels.std(axis=-1, ddof=1, keepdims=True)
    return (decibels - mean) / (deviation + 1e-10)


def spoken_bank():
    return librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=SPOKEN_LENGTH, n_mels=BANDS, fmin=SPOKEN_LOWEST,
        fmax=SPOKEN_HIGHEST, htk=False, norm="slaney", dtype=np.float64)


def spoken_mel(samples):
    """(80, 1 + count // 160) in about [-1, 1]; silence is -1."""
    peak = np.abs(samples).max()
    samples = samples.astype(np.float64) / (peak if peak > 0 else 1) * 0.9
    emphasised = np.append(samples[:1], samples[1:] - PREEMPHASIS * samples[:-1])
    spectrum = librosa.stft(
        emphasised, n_fft=SPOKEN_LENGTH, hop_length=HOP, window="hann", center=True,
        pad_mode="reflect")
    logarithm = np.log(np.maximum(FLOOR, spoken_bank() @ np.abs(spectrum)))
    return (logarithm - np.log(FLOOR)) / (-np.log(FLOOR) / 2) - 1
