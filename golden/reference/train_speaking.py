"""Trains the small talking faces on synthesised speech: memory, context-aware, text-driven; and their critic.

    python golden/reference/train_speaking.py STAGE --corpus FILE --output FOLDER (--steps N | --seconds S)

| stage   | networks                                   | needs of FOLDER |
|---------|--------------------------------------------|-----------------|
| memory  | audio-lip memory with its lip encoder      |                 |
| critic  | SyncNet                                    | memory          |
| context | CALS; units as the memory's lip encoder's  | memory          |
| text    | TAEM, onto the memory's audio features     | memory          |

writes FOLDER/STAGE.pt (state dicts by part) and FOLDER/STAGE.txt (losses, and what was
measured on held-out utterances). Losses are the published ones without the image
discriminator. With --seconds the rate follows the clock, and the log says how many steps
that made.
"""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import audio_lip_memory
import cals
import mouths
import speaking
import syncnet
import taem
from speaking_course import (
    Course, HeldOut, begin_with, critic_cosine, decibels, image_loss, plain_labels, purity, quick, usage_loss)

MOUTH_EMPHASIS = 6.0
NEIGHBOURS = (-2, -1, 0, 1, 2)
CLIP = (0, 1, 2, 3, 4)
RATE = 1.5e-3
DROPOUT = 0.1
FORGET = 0.5  # share of examples that are fused without their audio feature


def train_memory(arguments, corpus, device):
    network = audio_lip_memory.make("small")
    if arguments.start:
        begin_with(network, torch.load(arguments.start, weights_only=True))
    network = quick(network.to(device)).train()
    network.mem.dropout.p = DROPOUT
    size, count = network.configuration.image_size, arguments.batch
    stage = speaking.Stage(corpus, size, seed=1)
    course = Course(arguments, network.parameters(), RATE)
    memory = network.mem
    for progress in course.rounds():
        moments = corpus.moments(count, stage.generator)
        look = stage.looks(count)
        moved = stage.clip(look, corpus.neighbours(moments, NEIGHBOURS))
        target = moved[:, 2]
        faces = speaking.network_faces(target, stage.references(look, count))
        weight = 1 + MOUTH_EMPHASIS * mouths.mouth_weight(look, size)
        audio = corpus.windows(moments)
        loudness = 0.25 * torch.randn(count, 1, 1, 1, generator=stage.generator).to(device)
        feature = network.audio_encoder((audio + loudness).clamp(-4, 4)).flatten(1)
        address = memory.address(memory.q_embd(feature), memory.key)
        kept = feature * (stage.uniform(count)[:, None] >= FORGET)
        lips = speaking.lower_half(moved).transpose(1, 2)
        embedded = memory.v_embd(network.lip_encoder(lips).flatten(1))
        lip_address = memory.address(embedded, memory.value)
        recalled = lip_address @ memory.value
        by_lips = stage.uniform(count)[:, None] < 0.5  # the others are addressed by speech
        fused = memory.recall(kept, torch.where(by_lips, lip_address, address))
        frames = network.decode(fused[:, :, None, None], network.encode_faces(faces))
        parts = {
            "image": image_loss(frames, target, weight),
            "store": F.mse_loss(recalled, embedded.detach()),
            "align": F.kl_div(torch.log(address + 1e-13), lip_address.detach(),
                              reduction="batchmean"),
            "usage": usage_loss(lip_address),
        }
        course.descend(20 * parts["image"] + 0.2 * (parts["store"] + parts["align"])
                       + 0.3 * parts["usage"], parts)
    torch.backends.cudnn.benchmark = False
    course.say(f"{course.step} steps of {count}, Adam, one cycle to {RATE}")
    network.eval()
    measure_memory(network, corpus, course.say)
    return {"memory": network}


@torch.no_grad()
def measure_memory(network, corpus, say):
    held = HeldOut(corpus, network.configuration.image_size)
    whole, mouth, still, slots, lip_slots, labels = [], [], [], [], [], []
    for utterance in held.utterances:
        columns, target, faces, weight = held.scene(utterance)
        frames, address = network(corpus.windows(columns), faces)
        whole.append(decibels(frames, target))
        mouth.append(decibels(frames, target, weight))
        still.append(decibels(target.median(0, keepdim=True).values, target, weight))
        slots.append(address.argmax(1))
        labels.append(corpus.sounding[columns + 2])
        around = [min(max(i + n, 0), len(target) - 1) for i in range(len(target)) for n in NEIGHBOURS]
        clip = speaking.lower_half(target)[around].unflatten(0, (-1, 5)).transpose(1, 2)
        lips = network.mem.v_embd(network.lip_encoder(clip).flatten(1))
        lip_slots.append(network.mem.address(lips, network.mem.value).argmax(1))
    whole, mouth, still, slots, lip_slots, labels = map(
        torch.cat, (whole, mouth, still, slots, lip_slots, labels))
    names = plain_labels(labels)
    say(f"held out, {len(whole)} frames: PSNR {whole.mean():.2f} dB, of the mouth {mouth.mean():.2f} dB, "
        f"of the best still mouth {still.mean():.2f} dB")
    share, chance = purity(slots, names)
    lip_share, _ = purity(lip_slots, names)
    say(f"slots that come first: {len(set(slots.tolist()))} by speech, {len(set(lip_slots.tolist()))} by "
        f"lips; they agree in {float((slots == lip_slots).float().mean()):.3f} of the frames")
    say(f"slot-to-phone purity {share:.3f} by speech, {lip_share:.3f} by lips, {chance:.3f} for one slot")


def hear_as(network, taught):
    """Begins with the ears of the memory's network; the layer that they lack adds nothing yet."""
    ours, theirs = network.audio_encoder, taught.audio_encoder
    extra = len(theirs) - 2
    for place, layer in enumerate(theirs):
        ours[place if place < extra else place + 1].load_state_dict(layer.state_dict())
    nn.init.zeros_(ours[extra].conv_block[1].weight)


def train_critic(arguments, corpus, device):
    taught = audio_lip_memory.make("small")
    taught.load_state_dict(torch.load(arguments.output / "memory.pt", map_location="cpu")["memory"])
    network = syncnet.make("small")
    hear_as(network, taught)
    network = quick(network.to(device)).train()
    size, count = network.configuration.image_size, arguments.batch
    stage = speaking.Stage(corpus, size, seed=2)
    course = Course(arguments, network.parameters(), 2e-3)
    for progress in course.rounds():
        moments = corpus.moments(count, stage.generator)
        by = torch.randint(2, 16, (count,), generator=stage.generator)
        sign = 1 - 2 * torch.randint(2, (count,), generator=stage.generator)
        near = (moments + ((by * sign).to(device) * speaking.FRAME_COLUMNS).long()).clamp(
            corpus.first[moments], corpus.last[moments] - speaking.COLUMNS + 1)
        clip = stage.clip(stage.looks(count), corpus.neighbours(moments, CLIP))
        heard, seen = network(
            corpus.windows(torch.cat([moments, near])),
            syncnet.face_input(torch.cat([clip, clip])))
        cosine = (seen[:count] @ heard.T).clamp(1e-6, 1 - 1e-6)
        own = torch.arange(count, device=device)
        choice = F.cross_entropy(cosine / 0.07, own)
        pairs = torch.cat([cosine[own, own], cosine[own, own + count]])
        bce = F.binary_cross_entropy(pairs, (torch.arange(2 * count, device=device) < count).float())
        right = (cosine.argmax(1) == own).float().mean()
        course.descend(choice + bce, {"choice": choice, "bce": bce, "right": right})
    course.say(f"{course.step} steps of {count}")
    network.eval()
    with torch.no_grad():
        held = HeldOut(corpus, size)
        for shift in (0, 1, 2, 4, 8):
            values = []
            for utterance in held.utterances:
                columns, target, _, _ = held.scene(utterance)
                cosine = critic_cosine(network, corpus, columns, target, shift)
                if cosine is not None:
                    values.append(cosine)
            course.say(f"held out, speech {shift} frames late: cosine {torch.cat(values).mean():.3f}")
    return {"critic": network}


def mask_spans(count, windows, generator):
    """About a third of the frames, in spans of three to five."""
    masked = torch.zeros(count, windows, dtype=torch.bool)
    place = torch.arange(windows)
    for _ in range(max(1, round(0.3 * windows / 4))):
        length = torch.randint(3, 6, (count, 1), generator=generator)
        start = torch.randint(-2, windows - 1, (count, 1), generator=generator)
        masked |= (place >= start) & (place < start + length)
    return masked


def train_context(arguments, corpus, device):
    taught = audio_lip_memory.make("small").to(device)
    taught.load_state_dict(torch.load(arguments.output / "memory.pt", map_location=device)["memory"])
    taught.eval().requires_grad_(False)
    network = quick(cals.make("small").to(device)).train()
    lips, faces_network = network.audio_to_lip, network.lip_to_face
    lips.phone_encoder.load_state_dict(taught.audio_encoder.state_dict())
    for part in ("face_encoder_blocks", "face_decoder_blocks", "output_block"):
        getattr(faces_network, part).load_state_dict(getattr(taught, part).state_dict())
    configuration, count = network.configuration, arguments.batch
    size, windows = configuration.base.image_size, configuration.windows
    around = tuple(range(-(windows // 2), windows // 2 + 1))
    stage = speaking.Stage(corpus, size, seed=3)
    course = Course(arguments, network.parameters(), RATE)
    for progress in course.rounds():
        moments = corpus.moments(count, stage.generator)
        look = stage.looks(count)
        columns = corpus.neighbours(moments, around)
        masked = mask_spans(count, windows, stage.generator).to(device)
        if progress > 0.3:
            masked &= (stage.uniform(count) < 0.3)[:, None]
        units = lips(corpus.windows(columns), masked)
        clip = stage.clip(look, corpus.neighbours(moments, NEIGHBOURS))
        with torch.no_grad():
            teacher = taught.lip_encoder(speaking.lower_half(clip).transpose(1, 2)).flatten(1)
        middle = units[:, windows // 2]
        parts = {"unit": F.l1_loss(middle, teacher)}
        total = parts["unit"]
        if progress < 0.3:  # a second frame of the window, for the context to be about more than one
            at = torch.randint(windows, (1,), generator=stage.generator).item()
            beside = corpus.neighbours(columns[:, at], NEIGHBOURS)
            with torch.no_grad():
                clip = speaking.lower_half(stage.clip(look, beside)).transpose(1, 2)
                teacher = taught.lip_encoder(clip).flatten(1)
            parts["beside"] = F.l1_loss(units[:, at], teacher)
            total = total + parts["beside"]
        else:
            target = clip[:, 2]
            reference = stage.references(look, count)
            frames = faces_network(middle, speaking.network_faces(target, reference))
            weight = 1 + MOUTH_EMPHASIS * mouths.mouth_weight(look, size)
            parts["image"] = image_loss(frames, target, weight)
            total = 0.1 * total + 10 * parts["image"]
        course.descend(total, parts)
    torch.backends.cudnn.benchmark = False
    course.say(f"{course.step} steps of {count}, Adam, one cycle to {RATE}")
    network.eval()
    measure_context(network, taught, corpus, course.say)
    return {"context": network}


@torch.no_grad()
def measure_context(network, taught, corpus, say):
    configuration = network.configuration
    held = HeldOut(corpus, configuration.base.image_size)
    half = configuration.windows // 2
    whole, mouth, heard_alone, cosines, blocks = [], [], [], [], []
    for utterance in held.utterances:
        columns, target, faces, weight = held.scene(utterance)
        lips = network.audio_to_lip
        features = lips.phones(corpus.windows(columns))
        index = [[min(max(i + n, 0), len(columns) - 1) for n in range(-half, half + 1)]
                 for i in range(len(columns))]
        context = cals.Context.forward(lips, features[index])
        units = context[:, half]
        frames = network.lip_to_face(units, faces)
        whole.append(decibels(frames, target))
        mouth.append(decibels(frames, target, weight))
        other, _ = taught(corpus.windows(columns), faces)
        heard_alone.append(decibels(other, target, weight))
        around = [min(max(i + n, 0), len(target) - 1) for i in range(len(target)) for n in NEIGHBOURS]
        clip = speaking.lower_half(target)[around].unflatten(0, (-1, 5)).transpose(1, 2)
        teacher = taught.lip_encoder(clip).flatten(1)
        cosines.append(F.cosine_similarity(units, teacher))
    whole, mouth, heard_alone, cosines = map(torch.cat, (whole, mouth, heard_alone, cosines))
    say(f"held out, {len(whole)} frames: PSNR {whole.mean():.2f} dB, of the mouth {mouth.mean():.2f} dB, "
        f"of the memory's {heard_alone.mean():.2f} dB; unit cosine {cosines.mean():.4f}")


def voice_prints(corpus, width):
    """One direction for each speaker: a fixed projection of how its speech sounds on average."""
    means = []
    for speaker in range(speaking.Stage.SPEAKERS):
        rows = [corpus.mel[corpus.offsets[k] : corpus.offsets[k + 1]] for k in corpus.utterances(False)
                if corpus.speaker[k] == speaker]
        loud = torch.cat(rows)
        loud = loud[loud.mean(1) > -2.5]
        means.append(torch.cat([loud.mean(0), loud.std(0)]))
    means = torch.stack(means)
    means = (means - means.mean(0)) / (means.std(0) + 1e-3)
    generator = torch.Generator().manual_seed(8)
    projection = torch.randn(means.shape[1], width, generator=generator).to(means.device)
    return F.normalize(means @ projection, dim=1)


class TextBatch:
    """Utterances of like length with what their phones, frames and features are."""

    def __init__(self, corpus, encoder, configuration):
        self.corpus, self.items = corpus, []
        for k in range(corpus.count()):
            with torch.no_grad():
                feature = encoder(corpus.windows(corpus.frames(k))).flatten(1)
            durations = torch.from_numpy(speaking.frame_durations(corpus.ends[k])).to(corpus.device)
            phones = torch.from_numpy(corpus.phones[k]).long().to(corpus.device)
            self.items.append((phones, durations, feature))
        self.order = sorted(corpus.utterances(False), key=lambda k: len(self.items[k][2]))
        self.limit = (configuration.encoder_positions, configuration.refine_positions)
        self.order = [k for k in self.order if len(self.items[k][0]) <= self.limit[0]
                      and len(self.items[k][2]) <= self.limit[1]]

    def pick(self, count, generator):
        start = int(torch.randint(max(1, len(self.order) - count), (1,), generator=generator))
        return self.order[start : start + count]

    def padded(self, chosen):
        phones, durations, features = zip(*(self.items[k] for k in chosen))
        frames = [torch.repeat_interleave(torch.arange(len(d), device=d.device), d) for d in durations]
        pad = lambda rows: nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        ids = pad(phones)
        here = pad([torch.ones(len(f), dtype=torch.bool, device=ids.device) for f in frames])
        return ids, pad(durations), pad(frames), here, pad(features)


def faces_of(stage, speakers, size, amount=1.0):
    """Pictures of these speakers' faces as the speaker encoder reads them: red, green, blue."""
    look = mouths.random_look(stage.identity(speakers), stage.generator, amount)
    shape = stage.corpus.shapes[stage.corpus.moments(len(speakers), stage.generator)]
    return mouths.render(look, shape, stage.corpus.textures, size).flip(1)


def train_text(arguments, corpus, device):
    base = audio_lip_memory.make("small").to(device)
    base.load_state_dict(torch.load(arguments.output / "memory.pt", map_location=device)["memory"])
    base.eval().requires_grad_(False)
    configuration = taem.CONFIGURATIONS["small"]
    parts = {k: v.to(device).train() for k, v in taem.make("small").items()}
    batches = TextBatch(corpus, base.audio_encoder, configuration)
    prints = voice_prints(corpus, configuration.speaker_width)
    stage = speaking.Stage(corpus, configuration.face_size, seed=4)
    count = max(4, arguments.batch // 4)
    course = Course(arguments, [p for m in parts.values() for p in m.parameters()], RATE)
    for progress in course.rounds():
        chosen = batches.pick(count, stage.generator)
        ids, durations, frames, here, features = batches.padded(chosen)
        speakers = torch.tensor([int(corpus.speaker[k]) for k in chosen], device=device)
        voice = parts["speaker"](faces_of(stage, speakers, configuration.face_size))
        absent = ids == 0
        hidden, log_durations = parts["encoder"](ids, voice, absent)
        expanded = torch.gather(hidden, 1, frames[..., None].expand(-1, -1, hidden.shape[2]))
        expanded = expanded.masked_fill(~here[..., None], 0)
        made = parts["refine"](expanded, ~here)
        wanted = torch.log(1 + durations.float())
        losses = {
            "latent": (made - features).abs()[here].mean(),
            "duration": ((log_durations - wanted) ** 2)[~absent].mean(),
            "angle": 1 - F.cosine_similarity(made, features, dim=2)[here].mean(),
            "voice": 1 - (voice * prints[speakers]).sum(1).mean(),
        }
        course.descend(losses["latent"] + losses["duration"] + 0.1 * losses["angle"]
                       + 0.2 * losses["voice"], losses)
    torch.backends.cudnn.benchmark = False
    course.say(f"{course.step} steps of {count} utterances, Adam, one cycle to {RATE}")
    for part in parts.values():
        part.eval()
    measure_text(parts, base, corpus, batches, prints, course.say)
    return parts


@torch.no_grad()
def measure_text(parts, base, corpus, batches, prints, say):
    configuration = taem.CONFIGURATIONS["small"]
    held = HeldOut(corpus, base.configuration.image_size)
    stage = speaking.Stage(corpus, configuration.face_size, seed=5)
    cosines, errors, totals, psnr, from_audio, voices, right = [], [], [], [], [], [], []
    for utterance in held.utterances:
        phones, durations, features = batches.items[utterance]
        speaker = torch.tensor([int(corpus.speaker[utterance])], device=corpus.device)
        voice = parts["speaker"](faces_of(stage, speaker, configuration.face_size, 0.0))
        voices.append(float((voice @ prints[speaker].T)))
        right.append(float((voice @ prints.T).argmax() == speaker))
        hidden, log_durations = parts["encoder"](phones[None], voice)
        predicted = taem.cumulative_frames(log_durations[0])
        errors.append((predicted - durations).abs().float().mean())
        totals.append(abs(float(predicted.sum() - durations.sum())) / float(durations.sum()))
        index = torch.repeat_interleave(torch.arange(len(phones), device=hidden.device), durations)
        made = parts["refine"](hidden[:, index])[0]
        cosines.append(F.cosine_similarity(made, features, dim=1))
        _, target, faces, weight = held.scene(utterance)
        fused, _ = base.mem(made[:, :, None, None])
        psnr.append(decibels(base.decode(fused, base.encode_faces(faces)), target, weight))
        fused, _ = base.mem(features[:, :, None, None])
        from_audio.append(decibels(base.decode(fused, base.encode_faces(faces)), target, weight))
    say(f"held out: latent cosine {torch.cat(cosines).mean():.4f}, durations off by "
        f"{float(torch.stack(errors).mean()):.3f} frames a phone and "
        f"{100 * sum(totals) / len(totals):.2f} % an utterance, mouth PSNR from text "
        f"{torch.cat(psnr).mean():.2f} dB and from speech {torch.cat(from_audio).mean():.2f} dB")
    say(f"speakers told from their faces: {sum(right) / len(right):.3f}, "
        f"cosine to the voice {sum(voices) / len(voices):.3f}")


STAGES = {"memory": train_memory, "critic": train_critic,
          "context": train_context, "text": train_text}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--held", type=int, default=HeldOut.limit, help="held-out utterances")
    parser.add_argument("--start", type=Path, help="a state dict that train.py saved, for `memory`")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.steps and not arguments.seconds:
        parser.error("give --steps or --seconds")
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    HeldOut.limit = arguments.held
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = arguments.stage != "text"  # whose lengths vary
    torch.backends.cuda.matmul.allow_tf32 = True
    corpus = speaking.Corpus(arguments.corpus, device)
    made = STAGES[arguments.stage](arguments, corpus, device)
    torch.save({k: {n: v.cpu() for n, v in m.state_dict().items()} for k, m in made.items()},
               arguments.output / f"{arguments.stage}.pt")


if __name__ == "__main__":
    main()
