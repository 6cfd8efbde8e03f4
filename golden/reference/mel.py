"""Speech to the mel windows that the audio encoder reads."""

import librosa
import numpy as np
import soundfile

SAMPLE_RATE = 16_000
WINDOW_LENGTH = 800  # also the transform's length
HOP = 200
BANDS = 80
LOWEST, HIGHEST = 55.0, 7600.0
PREEMPHASIS = 0.97
COLUMNS = 16  # of one window: 200 ms
COLUMNS_PER_SECOND = SAMPLE_RATE / HOP
SILENCE = -4.0


def read_speech(path):
    """Mono float32 samples in [-1, 1] at 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    return mono.astype(np.float32)


def filterbank():
    """(80, 401): Slaney's mel scale and area normalisation."""
    return librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=WINDOW_LENGTH, n_mels=BANDS, fmin=LOWEST, fmax=HIGHEST,
        htk=False, norm="slaney", dtype=np.float32)


def mel_spectrogram(samples):
    """Samples to (80, 1 + count // 200) in [-4, 4]; silence is -4."""
    emphasised = np.append(samples[:1], samples[1:] - PREEMPHASIS * samples[:-1])
    spectrum = librosa.stft(
        emphasised.astype(np.float32), n_fft=WINDOW_LENGTH, hop_length=HOP,
        win_length=WINDOW_LENGTH, window="hann", center=True, pad_mode="reflect")
    energy = filterbank() @ np.abs(spectrum)
    decibels = 20 * np.log10(np.maximum(1e-5, energy)) - 20
    return np.clip(8 * (decibels + 100) / 100 - 4, -4, 4).astype(np.float32)


def window_starts(columns, frames_per_second=25.0):
    """First column of each video frame's window; the last one ends with the speech."""
    if columns < COLUMNS:
        raise ValueError(f"{columns} mel columns are fewer than one window's {COLUMNS}")
    starts = []
    while True:
        start = int(len(starts) * COLUMNS_PER_SECOND / frames_per_second)
        if start + COLUMNS > columns:
            return [*starts, columns - COLUMNS]
        starts.append(start)


def mel_windows(mel, frames_per_second=25.0):
    """(80, T) to (frames, 1, 80, 16)."""
    starts = window_starts(mel.shape[1], frames_per_second)
    return np.stack([mel[None, :, s : s + COLUMNS] for s in starts])
