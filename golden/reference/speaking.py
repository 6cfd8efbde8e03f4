"""A corpus of utterances with phone timings, and speaking faces drawn for it, on any device."""

import numpy as np
import torch

import mouths
import visemes

COLUMNS, COLUMNS_PER_SECOND, FRAMES_PER_SECOND = 16, 80, 25
FRAME_COLUMNS = COLUMNS_PER_SECOND / FRAMES_PER_SECOND
SILENCE = -4.0
MIDDLE_OF_FRAME = 0.02  # seconds from a frame's first column to the moment that it shows


def frame_durations(ends):
    """Whole video frames of each phone, without drift."""
    marks = np.round(np.asarray(ends, np.float64) * FRAMES_PER_SECOND).astype(np.int64)
    return np.diff(marks, prepend=0)


class Corpus:
    """Every utterance end to end; a moment is a column of that whole."""

    def __init__(self, path, device="cpu"):
        data = np.load(path)
        self.device = device
        self.mel = torch.from_numpy(data["mel"].astype(np.float32)).to(device)
        self.offsets = data["mel_offsets"]
        self.speaker = data["speaker"]
        self.held_out = data["held_out"]
        self.texts = [str(t) for t in data["texts"]]
        phones, ends, bounds = data["phones"], data["ends"], data["phone_offsets"]
        self.phones = [phones[a:b] for a, b in zip(bounds, bounds[1:])]
        self.ends = [ends[a:b] for a, b in zip(bounds, bounds[1:])]
        textures = torch.from_numpy(data["textures"].astype(np.float32) / 255)
        self.textures = textures.permute(0, 3, 1, 2).contiguous().to(device)
        shapes, sounding = [], []
        for k in range(len(self.phones)):
            names = [visemes.PHONES[p] for p in self.phones[k]]
            columns = int(self.offsets[k + 1] - self.offsets[k])
            times = np.arange(columns) / COLUMNS_PER_SECOND + MIDDLE_OF_FRAME
            shapes.append(visemes.mouth_shapes(names, self.ends[k], times))
            index = np.searchsorted(self.ends[k], times).clip(max=len(names) - 1)
            sounding.append(self.phones[k][index])
        self.shapes = torch.from_numpy(np.concatenate(shapes)).to(device)
        self.sounding = torch.from_numpy(np.concatenate(sounding)).to(device)
        starts = torch.from_numpy(self.offsets).to(device)
        self.first = starts[:-1].repeat_interleave(starts[1:] - starts[:-1])
        self.last = starts[1:].repeat_interleave(starts[1:] - starts[:-1]) - 1
        training = [np.arange(a, b - COLUMNS) for a, b, held in
                    zip(self.offsets, self.offsets[1:], self.held_out) if not held]
        self.training_moments = torch.from_numpy(np.concatenate(training)).to(device)

    def count(self):
        return len(self.phones)

    def utterances(self, held_out):
        return [k for k in range(self.count()) if bool(self.held_out[k]) == held_out]

    def frames(self, utterance):
        """The first columns of an utterance's video frames, as many as its phones last."""
        count = int(frame_durations(self.ends[utterance]).sum())
        first, last = int(self.offsets[utterance]), int(self.offsets[utterance + 1]) - COLUMNS
        return torch.tensor([min(first + int(i * FRAME_COLUMNS), last) for i in range(count)],
                            device=self.device)

    def moments(self, count, generator):
        place = torch.randint(len(self.training_moments), (count,), generator=generator)
        return self.training_moments[place.to(self.device)]

    def neighbours(self, moments, frames):
        """Columns of the frames `frames` away, (N, len(frames)), kept inside the utterance."""
        steps = torch.tensor([int(n * FRAME_COLUMNS) for n in frames], device=self.device)
        low, high = self.first[moments], self.last[moments] - COLUMNS + 1
        return (moments[:, None] + steps).clamp(low[:, None], high[:, None])

    def windows(self, columns):
        """(…) columns to (…, 1, 80, 16)."""
        span = torch.arange(COLUMNS, device=self.device)
        return self.mel[columns[..., None] + span].transpose(-1, -2).unsqueeze(-3)


class Stage:
    """Faces in front of which the corpus is spoken."""

    SPEAKERS = 8

    def __init__(self, corpus, size, seed):
        self.corpus, self.size = corpus, size
        self.generator = torch.Generator().manual_seed(seed)

    @staticmethod
    def identity(speaker):
        """The texture of a speaker's own face."""
        return torch.where(speaker == 0, mouths.PHOTOGRAPH, speaker + 1)

    def uniform(self, count):
        return torch.rand(count, generator=self.generator).to(self.corpus.device)

    def looks(self, count, amount=1.0):
        speakers = torch.randint(self.SPEAKERS, (count,), generator=self.generator)
        identity = self.identity(speakers).to(self.corpus.device)
        look = mouths.random_look(identity, self.generator, amount)
        if amount == 0:
            return look
        still = mouths.random_look(identity, self.generator, 0.0)
        return mouths.chosen(self.uniform(count) < 0.3, still, look)

    def draw(self, look, columns, natural=None):
        return mouths.render(
            look, self.corpus.shapes[columns], self.corpus.textures, self.size, natural)

    def clip(self, look, columns):
        """Frames (N, F, 3, S, S) at `columns` (N, F), each row one face."""
        count, frames = columns.shape
        drawn = self.draw(mouths.repeated(look, frames), columns.flatten())
        return drawn.unflatten(0, (count, frames))

    def references(self, look, count):
        """The face in another moment, sometimes a little moved, or the photograph as it is."""
        nudged = mouths.nudged(look, self.generator)
        elsewhere = mouths.chosen(self.uniform(count) < 0.6, look, nudged)
        natural = self.uniform(count) < 0.6
        return self.draw(elsewhere, self.corpus.moments(count, self.generator), natural)


def network_faces(target, reference):
    """(N, 6, S, S): the lower half of the first masked."""
    masked = target.clone()
    masked[:, :, target.shape[-2] // 2 :] = 0
    return torch.cat([masked, reference], dim=1)


def lower_half(clip):
    """The same frames with the upper half zeroed."""
    masked = clip.clone()
    masked[..., : clip.shape[-2] // 2, :] = 0
    return masked
