"""What the trainers of the talking faces share: a course of steps, and how held-out utterances are judged."""

import math
import time

import torch
from torch import nn

import mouths
import speaking
import syncnet
import visemes


class Course:
    """Steps or seconds of training with one cycle of the rate, and its log."""

    def __init__(self, arguments, parameters, rate):
        self.steps, self.seconds = arguments.steps, arguments.seconds
        self.optimiser = torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.99))
        self.rate, self.step, self.started = rate, 0, time.monotonic()
        self.log = (arguments.output / f"{arguments.stage}.txt").open("w")
        self.sums, self.since = {}, 0

    def say(self, line):
        print(line, flush=True)
        print(line, file=self.log, flush=True)

    @property
    def progress(self):
        done = self.step / self.steps if self.steps else 0.0
        if self.seconds:
            done = max(done, (time.monotonic() - self.started) / self.seconds)
        return min(done, 1.0)

    def rounds(self):
        """Progress in [0, 1) before each step."""
        while (progress := self.progress) < 1:
            warm = min(1.0, progress / 0.05)
            factor = warm * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-3
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * factor
            yield progress
            self.step += 1

    def descend(self, total, parts):
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(
            [p for g in self.optimiser.param_groups for p in g["params"]], 5.0)
        self.optimiser.step()
        for key, value in parts.items():
            self.sums[key] = self.sums.get(key, 0) + value.detach()
        self.since += 1
        if self.since == 50:
            means = "  ".join(f"{k} {float(v) / self.since:.4f}" for k, v in self.sums.items())
            self.say(f"step {self.step + 1:6} {time.monotonic() - self.started:6.0f} s  {means}")
            self.sums, self.since = {}, 0


def image_loss(frames, target, weight):
    return ((frames - target).abs() * weight).sum() / weight.sum() / 3


def usage_loss(address):
    """Zero when a batch uses every slot alike: log S less the entropy of the mean address."""
    mean = address.mean(0)
    return math.log(len(mean)) + (mean * torch.log(mean + 1e-13)).sum()


def decibels(frames, target, weight=None):
    """PSNR of pictures in [-1, 1], (N,); over the pixels that `weight` names, where given."""
    squares = (frames - target) ** 2
    if weight is None:
        mean = squares.mean((1, 2, 3))
    else:
        mean = (squares * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))
    return 10 * torch.log10(4 / mean)


def purity(slots, labels):
    """The share of frames whose label is the commonest of their slot, and that of one slot for all."""
    table = torch.zeros(int(slots.max()) + 1, int(labels.max()) + 1)
    for s, p in zip(slots.tolist(), labels.tolist()):
        table[s, p] += 1
    return float(table.max(1).values.sum() / len(slots)), float(table.sum(0).max() / len(slots))


def plain_labels(sounding):
    """Phone identifiers without stress."""
    names = [visemes.without_stress(p) for p in visemes.PHONES]
    table = torch.tensor([names.index(n) for n in names])
    return table[sounding.cpu()]


class HeldOut:
    """The held-out utterances, each before its speaker's face, the lower half to be drawn."""

    limit = 24

    def __init__(self, corpus, size):
        self.corpus, self.stage = corpus, speaking.Stage(corpus, size, seed=77)
        held = corpus.utterances(True)
        self.utterances = held[:: max(1, len(held) // self.limit)][: self.limit]

    def scene(self, utterance):
        columns = self.corpus.frames(utterance)
        count = len(columns)
        speaker = torch.tensor([int(self.corpus.speaker[utterance])] * count)
        identity = self.stage.identity(speaker).to(self.corpus.device)
        look = mouths.random_look(identity, self.stage.generator, 0.0)
        target = self.stage.draw(look, columns)
        closed = torch.full((count,), int(self.corpus.offsets[utterance]), device=columns.device)
        reference = self.stage.draw(look, closed)
        weight = (mouths.mouth_weight(look, self.stage.size) > 0.5).float()
        return columns, target, speaking.network_faces(target, reference), weight


def critic_cosine(critic, corpus, columns, frames, shift=0):
    """The critic's cosine of each five frames with the speech that begins there, `shift` frames on."""
    count = len(frames) - 4
    if count < 1 + abs(shift):
        return None
    clips = torch.stack([frames[k : k + count] for k in range(5)], dim=1)
    heard, seen = critic(corpus.windows(columns[:count]), syncnet.face_input(clips))
    if shift:
        heard, seen = heard[shift:], seen[:-shift]
    return (heard * seen).sum(1)


def begin_with(network, state):
    """Takes the weights of a network trained otherwise, but not its memory."""
    fresh = {n: v for n, v in network.state_dict().items() if n.startswith("mem.")}
    network.load_state_dict({**state, **fresh})


def quick(network):
    """The same network; a processor is a quarter faster on weights that lie channel by channel."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)
    return network
