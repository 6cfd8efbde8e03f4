"""espeak-ng through its library, once a process: what a text sounds like, and when."""

import ctypes

import numpy as np

RATE, PITCH, RANGE = 1, 3, 4  # espeak's numbers of what a voice may be told
TERMINATED, WORD, PHONE = 0, 1, 7
RETRIEVAL, SYNCHRONOUS = 1, 2  # what comes out is the same but for how long the last phone sounds
PHONE_EVENTS, UTF8 = 1, 1


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("name", ctypes.c_char * 8)]


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


class Synthesiser:
    def __init__(self, output=SYNCHRONOUS, buffer=200):
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.sample_rate = self.library.espeak_Initialize(output, buffer, None, PHONE_EVENTS)
        if self.sample_rate <= 0:
            raise RuntimeError("espeak-ng does not start")
        self.chunks, self.events = [], []
        self.callback = CALLBACK(self.receive)
        self.library.espeak_SetSynthCallback(self.callback)

    def receive(self, samples, count, events):
        k = 0
        while events[k].type != TERMINATED:
            if events[k].type in (WORD, PHONE):
                name = events[k].name.decode("utf-8", "replace") if events[k].type == PHONE else ""
                self.events.append((events[k].type, events[k].milliseconds / 1000, name))
            k += 1
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def voice(self, name, rate, pitch, pitch_range=None):
        if self.library.espeak_SetVoiceByName(name.encode()):
            raise ValueError(f"espeak-ng has no voice {name}")
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            if value is not None:
                self.library.espeak_SetParameter(parameter, int(value), 0)

    def say(self, text):
        """Samples in [-1, 1], phones (mnemonic, second) and the seconds at which words start."""
        self.chunks, self.events = [], []
        raw = text.encode()
        self.library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, UTF8, None, None)
        self.library.espeak_Synchronize()
        phones = [(name, at) for kind, at, name in self.events if kind == PHONE]
        words = [at for kind, at, _ in self.events if kind == WORD]
        return np.concatenate(self.chunks).astype(np.float64) / 32768, phones, words

    def phonemes(self, text):
        """The phone mnemonics of a text with ' and , before stressed vowels, one string."""
        buffer = ctypes.create_string_buffer(text.encode())
        pointer = ctypes.c_void_p(ctypes.addressof(buffer))
        result = []
        while pointer.value:
            piece = self.library.espeak_TextToPhonemes(ctypes.byref(pointer), UTF8, ord("_") << 8)
            result.append(piece.decode())
        return " ".join(result)
