"""Trains the small bridges on drawn faces that speak synthetic words and sentences.

    python golden/reference/make_bridge_corpus.py --output CORPUS
    python golden/reference/train_bridge.py --corpus CORPUS --output FOLDER [--seconds 900]
    python golden/reference/train_bridge.py --corpus CORPUS --output FOLDER --only tcn --start gru --front 900

writes FOLDER/gru.pt, tcn.pt, speech.pt and heads.pt, and FOLDER/bridge.log; the second form goes on with one of
them, or with another back end behind the front and the memory of one. There is little time, so the
visual front is taught first what it has to see, shapes of the mouth and whose face it is, on
short clips. Then it stays as it is, and the rest learns from its features. The losses of the
rest are the published ones: an answer from lips alone and one from lips with real sound, the
memory's reconstruction of the sound, and the divergence of the two addresses. The multi-head network has a
front of another kind, taught in the same way, and its own losses: its slots lie at right angles and point where
the sound they stand for points.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import bridge
import speaking_faces

HEARD_RANGE, SPOKEN_RANGE = (-80.0, 40.0), (-1.0, 1.2)  # of the corpus' bytes
MEAN, DEVIATION = 0.4136, 0.1700
FRAMES, MARGIN = 29, 3
HELD_OUT_FACES = 8
MEMORY_DROPOUT = 0.1  # the published half drowns a feature of 64
SHAPE_CLIPS, SHAPE_FRAMES = 16, 6
SPEECH_FRAMES = 30


class Corpus:
    def __init__(self, folder, device):
        def load(name):
            with np.load(folder / name) as archive:
                return {k: torch.from_numpy(archive[k]).to(device) for k in archive.files
                        if archive[k].dtype.kind != "U"}

        self.words, self.sentences = load("words.npz"), load("sentences.npz")
        self.device = device
        colour = load("faces.npz")["faces"].permute(0, 3, 1, 2).float() / 255
        luma = torch.tensor(speaking_faces.LUMA, device=device).view(1, 3, 1, 1)
        self.faces = (colour * luma).sum(1, keepdim=True)
        self.identities = len(self.faces) - HELD_OUT_FACES
        self.points = speaking_faces.crop_points()

    def heard(self, data):
        low, high = HEARD_RANGE
        decibels = data.float() / 255 * (high - low) + low
        mean, deviation = decibels.mean(-1, keepdim=True), decibels.std(-1, keepdim=True)
        return ((decibels - mean) / (deviation + 1e-10))[:, None]

    def spoken(self, data):
        low, high = SPOKEN_RANGE
        return data.float() / 255 * (high - low) + low

    def video(self, tracks, identities, generator, amount):
        look = speaking_faces.looks(len(tracks), identities, generator, self.device, amount)
        frames = speaking_faces.render(look, tracks, self.faces, *self.points, generator=generator)
        return (frames.transpose(1, 2) - MEAN) / DEVIATION  # (N, 1, T, 112, 112)

    def integers(self, low, high, count, generator):
        return torch.randint(low, high, (count,), generator=generator, device=self.device)

    def windows(self, data, starts, length):
        """`length` along the last axis of each row, from its own start."""
        at = starts[:, None] + torch.arange(length, device=self.device)
        return torch.gather(data, -1, at[:, None].expand(-1, data.shape[1], -1))

    def shapes(self, clips, length, generator):
        """Short clips of words and sentences with the mouth of the middle frame, and whose face."""
        words = clips * 3 // 4
        rows = self.integers(0, len(self.words["training_label"]), words, generator)
        starts = self.integers(0, FRAMES + 2 * MARGIN - length + 1, words, generator)
        tracks = self.windows(self.words["training_track"][rows].transpose(1, 2), starts, length)
        rows = self.integers(0, len(self.sentences["training_speaker"]), clips - words, generator)
        starts = self.integers(0, 75 - length + 1, clips - words, generator)
        more = self.windows(self.sentences["training_track"][rows].transpose(1, 2), starts, length)
        own = torch.tensor(speaking_faces.SPEAKER_FACES, device=self.device)[self.sentences["training_speaker"][rows]]
        identities = torch.cat([self.integers(0, self.identities, words, generator), own])
        tracks = torch.cat([tracks, more]).transpose(1, 2)
        video = self.video(tracks, identities, generator, 1.0)
        mirrored = torch.rand(clips, generator=generator, device=self.device) < 0.5
        video = torch.where(mirrored.view(-1, 1, 1, 1, 1), video.flip(-1), video)
        return video, tracks, identities

    def word_clips(self, rows, generator):
        starts = self.integers(0, 2 * MARGIN + 1, len(rows), generator)
        tracks = self.windows(self.words["training_track"][rows].transpose(1, 2), starts, FRAMES).transpose(1, 2)
        heard = self.windows(self.words["training_heard"][rows], 4 * starts, 4 * FRAMES)
        video = self.video(tracks, self.integers(0, self.identities, len(rows), generator), generator, 1.0)
        return video, self.heard(heard), self.words["training_label"][rows]

    def held_out_words(self):
        generator = torch.Generator(self.device).manual_seed(99)
        for part in torch.arange(len(self.words["held_out_label"]), device=self.device).split(24):
            tracks = self.words["held_out_track"][part, MARGIN : MARGIN + FRAMES]
            heard = self.words["held_out_heard"][part, :, 4 * MARGIN : 4 * (MARGIN + FRAMES)]
            identities = self.integers(self.identities, len(self.faces), len(part), generator)
            yield (self.video(tracks, identities, generator, 0.7), self.heard(heard),
                   self.words["held_out_label"][part])

    def sentence_clips(self, part, rows, starts, length, generator, amount):
        data = {k: self.sentences[f"{part}_{k}"][rows] for k in ("track", "heard", "spoken", "speaker")}
        tracks = self.windows(data["track"].transpose(1, 2), starts, length).transpose(1, 2)
        identities = torch.tensor(speaking_faces.SPEAKER_FACES, device=self.device)[data["speaker"]]
        return (self.video(tracks, identities, generator, amount),
                self.heard(self.windows(data["heard"], 4 * starts, 4 * length)),
                self.spoken(self.windows(data["spoken"], 4 * starts, 4 * length)))

    def held_out_sentences(self):
        generator = torch.Generator(self.device).manual_seed(98)
        count = len(self.sentences["held_out_speaker"])
        for part in torch.arange(count, device=self.device).split(8):
            yield self.sentence_clips("held_out", part, part * 0, 75, generator, 0.4)


def answer_loss(kind, answer, wanted):
    if kind == "speech":
        return sum(F.l1_loss(a, wanted) for a in answer)
    return F.cross_entropy(answer, wanted)


def losses_of_heads(network, visual, rows, wanted):
    between = network.back.tcn.mb_ms_tcn
    memories = [network.mem, *(getattr(between, f"mem{k}") for k in (1, 2, 3))]
    fixed, recall, angles = rows.detach(), 0, 0
    for memory in memories:
        slots = F.normalize(memory.value, dim=1)
        recall = recall + (1 - F.cosine_similarity(memory.target(fixed)[1], fixed)).mean()
        angles = angles + (torch.eye(len(slots), device=slots.device) - slots @ slots.T).abs().mean()
    read, _ = network.mem(visual.reshape(rows.shape))
    answer, _ = network.back(read.view(visual.shape))
    return {"lips": F.cross_entropy(answer, wanted), "recall": recall, "angles": angles}


def losses(network, visual, audio, wanted):
    heard = network.a_front(audio)
    b, t, width = visual.shape
    rows = heard.reshape(b * t, width)
    if network.kind == "heads":
        return losses_of_heads(network, visual, rows, wanted)
    fixed = rows.detach()
    target = network.mem.target(fixed)
    # only the sound writes values: the lips read them as they are
    address = network.mem.source(visual.reshape(b * t, width))
    recalled = torch.matmul(address, network.mem.value.detach())
    fused = network.mem.fuse(visual.reshape(b * t, width), recalled).view(b, t, width)
    both = network.mem.fuse(visual.reshape(b * t, width), rows).view(b, t, width)
    kind = network.kind
    return {
        "lips": answer_loss(kind, network.back(fused), wanted),
        "both": answer_loss(kind, network.back(both), wanted),
        "recall": F.mse_loss(torch.matmul(target, network.mem.value), fixed),
        "bridge": F.kl_div(torch.log(address + 1e-13), target.detach(), reduction="batchmean"),
    }


@torch.no_grad()
def measure_words(network, corpus):
    network.eval()
    right = {k: 0 for k in ("lips", "top5", "flip") + (() if network.kind == "heads" else ("both",))}
    total, usage, divergence = 0, 0, []
    for video, audio, label in corpus.held_out_words():
        logits, address = network(video)
        right["lips"] += int((logits.argmax(1) == label).sum())
        right["top5"] += int((logits.topk(5, 1).indices == label[:, None]).any(1).sum())
        right["flip"] += int(((logits + network(video.flip(-1))[0]).argmax(1) == label).sum())
        usage = usage + address.sum(0)
        total += len(label)
        if network.kind == "heads":  # which answers from lips alone, each head with an address of its own
            continue
        right["both"] += int((bridge.AudioVisual(network)(video, audio).argmax(1) == label).sum())
        target = bridge.Target(network)(audio)
        divergence.append(float(F.kl_div(torch.log(address + 1e-13), target, reduction="batchmean")))
    network.train()
    share = (usage / usage.sum()).flatten()
    used = int((share > 0.2 / len(share)).sum())
    accuracy = "  ".join(f"{k} {v / total:.3f}" for k, v in right.items())
    kl = f"  KL {np.mean(divergence):.3f}" if divergence else ""
    return f"accuracy of {total} held-out clips: {accuracy}  slots used {used} of {len(share)}{kl}"


@torch.no_grad()
def measure_speech(network, corpus):
    network.eval()
    errors, still, sound, usage = [], [], [], 0
    for video, audio, spoken in corpus.held_out_sentences():
        mel, address = network(video)
        errors.append(float((mel - spoken).abs().mean()))
        still.append(float((spoken - spoken.median(-1, keepdim=True).values).abs().mean()))
        sound.append(float((bridge.AudioVisual(network)(video, audio)[1] - spoken).abs().mean()))
        usage = usage + address.sum(0)
    network.train()
    share = usage / usage.sum()
    used = int((share > 0.2 / len(share)).sum())
    return (f"mel L1 of held-out sentences: lips {np.mean(errors):.4f}, with sound {np.mean(sound):.4f}, "
            f"each band's own median {np.mean(still):.4f}  slots used {used} of {len(share)}")


class Clock:
    """A share of the time, as a learning rate: up at once, down along a cosine."""

    def __init__(self, seconds, peak, steps=None):
        self.started, self.seconds, self.peak, self.steps = time.monotonic(), seconds, peak, steps
        self.step = 0

    def rate(self):
        share = self.step / self.steps if self.steps else (time.monotonic() - self.started) / self.seconds
        self.step += 1
        if share >= 1:
            return None
        return self.peak * min(1, self.step / 20) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))


def set_rate(optimiser, rate):
    for group in optimiser.param_groups:
        group["lr"] = rate


def teach_front(front, corpus, generator, clock, say):
    """Mouth shapes and identities by two linear readings that are thrown away."""
    for module in front.train().modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, nn.Dropout):
            module.p = 0.05
    width = bridge.SMALL.feature
    shape, identity = nn.Linear(width, 4).to(corpus.device), nn.Linear(width, corpus.identities).to(corpus.device)
    parameters = [*front.parameters(), *shape.parameters(), *identity.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-3)
    sums = np.zeros(2)
    while (rate := clock.rate()) is not None:
        set_rate(optimiser, rate)
        video, tracks, identities = corpus.shapes(SHAPE_CLIPS, SHAPE_FRAMES, generator)
        feature = front(video)
        mouth = 10 * F.smooth_l1_loss(shape(feature), tracks, beta=0.1)
        whose = F.cross_entropy(identity(feature.mean(1)), identities)
        optimiser.zero_grad(set_to_none=True)
        (mouth + 0.1 * whose).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        sums += [float(mouth.detach()), float(whose.detach())]
        if clock.step % 50 == 0:
            say(f"front step {clock.step:5}  shape {sums[0] / 50:.4f}  identity {sums[1] / 50:.4f}")
            sums[:] = 0
    say(f"front: {clock.step - 1} steps of {SHAPE_CLIPS} clips of {SHAPE_FRAMES} frames")


@torch.no_grad()
def features(front, corpus, generator, kind, looks, say):
    """What the front sees of every training clip, each with several faces."""
    front.eval()
    parts = []
    for _ in range(looks):
        if kind == "speech":
            rows = torch.arange(len(corpus.sentences["training_speaker"]), device=corpus.device)
            batches = (corpus.sentence_clips("training", r, r * 0, 75, generator, 0.6) for r in rows.split(4))
        else:
            rows = torch.arange(len(corpus.words["training_label"]), device=corpus.device)
            batches = (corpus.word_clips(r, generator) for r in rows.split(12))
        parts += [(front(video), audio, wanted) for video, audio, wanted in batches]
    say(f"features of {sum(len(p[0]) for p in parts)} clips for {kind}")
    return [torch.cat(column) for column in zip(*parts)]


def teach_rest(network, data, generator, clock, say):
    device = data[0].device
    rest = [p for n, p in network.named_parameters() if not n.startswith("v_front.")]
    optimiser = torch.optim.AdamW(rest, lr=1e-3, weight_decay=1e-2)
    batch = 8 if network.kind == "speech" else 32
    sums = {}
    network.train()
    network.v_front.eval()
    if network.kind != "heads":
        network.mem.dropout.p = MEMORY_DROPOUT
    while (rate := clock.rate()) is not None:
        set_rate(optimiser, rate)
        rows = torch.randint(0, len(data[0]), (batch,), generator=generator, device=device)
        visual, audio, wanted = (column[rows] for column in data)
        if network.kind == "speech":  # windows of sentences: many short steps are worth more
            start = int(torch.randint(0, visual.shape[1] - SPEECH_FRAMES + 1, (1,), generator=generator, device=device))
            visual = visual[:, start : start + SPEECH_FRAMES]
            audio, wanted = (x[..., 4 * start : 4 * (start + SPEECH_FRAMES)] for x in (audio, wanted))
        visual = visual + 0.05 * torch.randn(visual.shape, generator=generator, device=device) * visual.std()
        parts = losses(network, F.dropout(visual, 0.05), audio, wanted)
        optimiser.zero_grad(set_to_none=True)
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(rest, 5.0)
        optimiser.step()
        for key, value in parts.items():
            sums[key] = sums.get(key, 0) + float(value.detach())
        if clock.step % 50 == 0:
            say(f"{network.kind} step {clock.step:5}  "
                + "  ".join(f"{k} {v / 50:.4f}" for k, v in sums.items()))
            sums = {}
    say(f"{network.kind}: {clock.step - 1} steps of {batch} clips")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=900, help="of teaching, about")
    parser.add_argument("--steps", type=int, help="of each stage, whatever the time")
    parser.add_argument("--only", choices=("gru", "tcn", "speech", "heads"), help="go on with FOLDER's weights of one")
    parser.add_argument("--start", choices=("gru", "tcn"), help="all but the back end is this one's: with --only")
    parser.add_argument("--front", type=float, default=0, help="seconds of teaching the front more: with --only")
    parser.add_argument("--looks", type=int, default=2, help="faces for each clip")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    log = (arguments.output / "bridge.log").open("a" if arguments.only else "w")

    def say(line):
        print(line, flush=True)
        print(line, file=log, flush=True)

    def save(name, network):
        state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
        torch.save(state, arguments.output / f"{name}.pt")

    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(1)
    torch.manual_seed(1)
    corpus = Corpus(arguments.corpus, device)
    kinds = ("gru", "tcn", "speech", "heads")
    networks = {k: bridge.make("small", k, seed=1).to(device) for k in kinds}
    shares = {"gru": 0.2, "tcn": 0.1, "speech": 0.2, "heads": 0.2}

    def clock(share, peak):
        return Clock(share * arguments.seconds, peak, arguments.steps)

    def look(kind, looks):
        return features(networks[kind].v_front, corpus, generator, kind, looks, say)

    def teach(kind, data, clock):
        network = networks[kind]
        teach_rest(network, data, generator, clock, say)
        say((measure_speech if kind == "speech" else measure_words)(network, corpus))
        save(kind, network)

    if arguments.only:
        kind, network = arguments.only, networks[arguments.only]
        taught = torch.load(arguments.output / f"{arguments.start or kind}.pt", weights_only=True)
        if arguments.start:
            own = network.state_dict()
            taught = {n: own[n] if n.startswith("back.") else taught.get(n, v) for n, v in own.items()}
        network.load_state_dict(taught)
        if arguments.front:
            teach_front(network.v_front, corpus, generator, Clock(arguments.front, 2e-3), say)
        teach(kind, look(kind, arguments.looks), clock(1, 4e-3))
        return
    front = networks["gru"].v_front
    teach_front(front, corpus, generator, clock(0.3, 4e-3), say)
    for kind, network in networks.items():
        own = network.v_front
        if kind == "heads":
            own.frontend.load_state_dict(front.frontend.state_dict())
            teach_front(own, corpus, generator, clock(0.3, 4e-3), say)
        else:
            own.load_state_dict(front.state_dict())
        if kind != "tcn":  # which answers for the same clips
            data = look(kind, 1 if arguments.steps else arguments.looks)
        teach(kind, data, clock(shares[kind], 3e-3))


if __name__ == "__main__":
    main()
