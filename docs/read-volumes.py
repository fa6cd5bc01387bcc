#!/usr/bin/env python3
"""Reads archive volumes of Bailee with their key file alone (docs/vault-format.md, section 8).

    read-volumes.py KEYFILE [--set SET] --to DIRECTORY VOLUME...   into a new or empty directory
    read-volumes.py KEYFILE [--set SET] --tar VOLUME... | tar -tv  the archive, up to the first gap

Volumes may be given in any order and under any names; of two copies each frame is read from
whichever has it. Of several sets the one that is whole is read, or SET; what a killed export left
is named. What is wrong is said on standard error, volume by volume; what is whole is restored all
the same, a file that is not is removed and named, and so is what was never read of one when it was
kept (--tar leaves that in the archive's records). Exit code 0: all is there and authentic. 1:
something is not. 2: usage, or SET has to be said. Needs Python 3.9, `cryptography`, and no Bailee.
"""
import hashlib, os, struct, sys, tarfile
from decimal import Decimal
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FIXED, TAG, ENDING, END_FRAME, NONE_STARTS = 88, 16, 25, 2**64 - 1, 2**32 - 1
problems, only_root = [], {"owners": 0, "attributes": 0}

def note(text):
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)

def problem(text):
    problems.append(note(text))

def need(good, why, kind=ValueError):
    if not good:
        raise kind(why)

def attempt(what, act, *arguments, kind=None, **named):  # what it gives; if it fails, that is said
    try:
        return act(*arguments, **named)
    except (OSError, ValueError, ArithmeticError, LookupError) as why:
        if not kind or not os.geteuid() or not isinstance(why, PermissionError):
            return problem(f"{what}: {why}")
        only_root[kind] += 1  # so it is of each thing that somebody else restores

def hkdf(key, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)

def read_key(path):
    text = open(path, "rb").read(128)
    digits = text[64:] == b"\n" and not text[:64].strip(b"0123456789abcdef")
    need(digits, f"{path}: it is not 64 hexadecimal digits and a newline", SystemExit)
    return bytes.fromhex(text[:64].decode())

class Volume:
    def __init__(self, path, key):
        self.path, self.file, self.copies = path, open(path, "rb"), [self]
        self.size = os.fstat(self.file.fileno()).st_size
        fixed = self.take(0, FIXED)
        need(b"BAILVOL1".startswith(fixed[:8]), "it does not start as an archive volume")
        need(len(fixed) == FIXED, "it ends within its header", EOFError)
        (version, origin, described, self.set, self.ordinal, self.frame, key_id, salt) = (
            struct.unpack(">HHI16sII16s32s", fixed[8:]))
        need(version == 1, f"its format version is {version}, this program reads 1")
        need(key_id == hkdf(key, b"", b"bailee/vault/v1 kek id", 32)[:16], "another key sealed it")
        need(origin <= 256 and described <= 1 << 20 and 8 <= self.frame <= 1 << 18, "bad lengths")
        need(self.size >= FIXED + origin + 32, "it ends within its header", EOFError)
        self.head = fixed + self.take(FIXED, origin)
        keys = hkdf(key, salt, b"bailee/volume/v1" + self.head, 64)
        need(self.take(len(self.head), 32) == keys[32:], "its header is damaged")
        self.cipher, first, described = AESGCM(keys[:32]), len(self.head) + 32, described + TAG
        self.description, self.data = self.open_frame(0, first, described), first + described
        at = max(self.data, self.size - ENDING - TAG)
        end = struct.unpack(">BQQQ", self.open_frame(END_FRAME, at, ENDING + TAG) or bytes(ENDING))
        whole = end[2] and end[3] == -(-(at - self.data) // (self.frame + TAG))
        self.ending = end if whole else None

    def take(self, at, count):  # fewer at the end; none if the medium does not give them
        try:
            self.file.seek(at)
            return self.file.read(count)
        except OSError as why:
            return problem(f"{self.path}: bytes {at}..{at + count}: {why.strerror}") or b""

    def open_frame(self, n, at, count):  # None if it is damaged
        try:
            return self.cipher.decrypt(struct.pack(">IQ", 0, n), self.take(at, count), None)
        except (InvalidTag, ValueError):
            return 0 < n < END_FRAME and problem(f"{self.path}: frame {n} is damaged") or None

    def frames(self):  # plain bytes of each data frame, of whichever copy has it; None if none does
        end, step = self.size - ENDING - TAG, self.frame + TAG
        for number, at in enumerate(range(self.data, end, step), 1):
            opened = (copy.open_frame(number, at, min(step, end - at)) for copy in self.copies)
            yield next((plain for plain in opened if plain and len(plain) > 4), None)

def collect(paths, key, wanted):  # the volumes of one set, by ordinal
    opened, sets, stubs = [], {}, []
    for path in paths:
        try:
            opened.append(Volume(path, key))
        except (OSError, ValueError, EOFError) as why:
            (stubs.append if isinstance(why, EOFError) else problem)(f"{path}: {why}")
    for volume in sorted(opened, key=lambda v: (v.ending is None, v.description is None)):
        sets.setdefault(volume.set.hex(), {}).setdefault(volume.ordinal, []).append(volume)
    ended = [one for one, v in sets.items() if (end := v[max(v)][0].ending) and end[0] == 1]
    left = [one for one, v in sets.items() if one not in ended and len(v) == max(v)]
    whole = [one for one in ended if len(sets[one]) == max(sets[one])]
    main = [wanted] if wanted else whole if len(sets) > 1 else [*sets]
    if len(main) > 1 or (wanted or sets) and not (main and main[0] in sets):
        said = (f"{one} (volumes: {len(sets[one])}{', whole' * (one in whole)})" for one in sets)
        sys.exit(note(f"which set is meant? There is {', '.join(sorted(said))}") or 2)
    for volume in (volume for volume in opened if volume.set.hex() not in main):
        said = f"{volume.path}: it belongs to set {volume.set.hex()}"
        note(f"{said}: not read") if wanted or volume.set.hex() in left else problem(said)
    [*map(note if set(main) & set(whole) else problem, stubs)]
    for ordinal, (first, *more) in (volumes := sets[main[0]] if main else {}).items():
        for volume in more:
            problem(f"{volume.path}: volume {ordinal} was given already")
        first.copies += [volume for volume in more if volume.head == first.head]
        first.ending or problem(f"{first.path}: it is cut off")
        first.description or problem(f"{first.path}: frame 0 is damaged")
    return {ordinal: copies[0] for ordinal, copies in volumes.items()}

def pieces(volumes):  # the archive: (bytes, where a member starts in it or None), None for a gap
    expected, position = 1, 0
    for ordinal in sorted(volumes):
        volume = volumes[ordinal]
        said = next((copy.description for copy in volume.copies if copy.description), None)
        start = struct.unpack(">Q", said[:8])[0] if said else None
        if expected != ordinal:
            more = f", and all up to {ordinal - 1}" * (ordinal - expected > 1)
            problem(f"volume {expected} of the set is missing{more}")
            yield None
        elif None not in (start, position) and start != position:
            problem(f"{volume.path}: it does not continue the volume before it")
            yield None
        for plain in volume.frames():
            (member,) = struct.unpack(">I", plain[:4]) if plain else (None,)
            yield plain and (plain[4:], None if member == NONE_STARTS else member)
        position = volume.ending[2] if volume.ending else (yield None)
        expected = ordinal + 1
    if not volumes or not (last := volumes[max(volumes)].ending) or last[0] != 1:
        problem(f"volume {expected} of the set is missing, or whatever follows")
        yield None

class Restorer:  # one member after the other, after a gap from where the next one starts
    def __init__(self, source, to):
        os.makedirs(to, exist_ok=True)
        need(not os.listdir(to), f"{to}: it is not empty: name a new directory", SystemExit)
        self.to, self.made, self.directories = os.open(to, os.O_RDONLY), set(), []
        self.source, self.piece, self.start, self.at, self.gap = source, b"", None, 0, False

    def run(self):
        while self.resync():
            try:
                while (member := self.next()) is not None:
                    attempt(os.fsdecode(member.name), self.member, member)
            except (tarfile.TarError, ValueError, ArithmeticError) as e:  # a gap was named
                self.gap or problem(f"up to where the next member starts nothing is restored: {e}")
        for member in reversed(self.directories):
            self.attributes(self.place(member.name), member)

    def resync(self):  # goes to where the next member starts; False if none does
        while self.start is None or self.start < self.at:
            self.gap = False
            if self.refill() is False:
                return False
        self.at, self.start, self.left = self.start, None, 0
        return True

    def refill(self):
        piece = None if self.gap else next(self.source, False)
        (self.piece, self.start), self.at, self.gap = piece or (b"", None), 0, piece is None
        return piece

    def read(self, count):
        parts = []
        while count > 0 and (self.at < len(self.piece) or self.refill()):
            parts.append(self.piece[self.at:self.at + count])
            self.at, self.left, count = self.at + (n := len(parts[-1])), self.left - n, count - n
        return b"".join(parts)

    def next(self):  # the next member; None after the end of the archive
        while self.left > 0 and self.read(min(self.left, 1 << 20)):
            pass
        records = {}
        while (block := self.read(512)).strip(b"\0"):
            member = tarfile.TarInfo.frombuf(block, "latin-1", "strict")
            self.left = member.size + -member.size % 512
            if member.type != tarfile.XHDTYPE:
                break
            data, at = self.read(self.left), 0
            while at < member.size:
                start, end = data.index(b" ", at) + 1, at
                end += int(data[at:start])
                key, _, records[key] = data[start:end - 1].partition(b"=")
                at = max(end, start)
        else:
            whole = not records and len(block + self.read(512)) == 1024 and not self.read(1)
            return need(whole, "it has no end, or something follows it")
        name = records.get(b"path", member.name.encode("latin-1"))
        member.name, member.pax_headers = records.get(b"GNU.sparse.name", name), records
        member.linkname = records.get(b"linkpath", member.linkname.encode("latin-1"))
        for field in ("uid", "gid", "size", "mtime"):
            said = records.get(field.encode(), str(getattr(member, field)).encode())
            setattr(member, field, Decimal(said.decode()) if field == "mtime" else int(said))
        self.left = member.size + -member.size % 512
        return member

    def place(self, name):  # goes there by directories made here, for links may lead away; the rest
        parts, path = [part for part in name.split(b"/") if part not in (b"", b".")], b""
        os.chdir(self.to)  # step by step: a whole path may be longer than the system takes
        need(name[:1] != b"/" and b".." not in parts and b"\0" not in name, "it would lead away")
        for part in parts[:-1]:
            if (path := path + b"/" + part) not in self.made:
                self.made.add(os.mkdir(part, 0o700) or path)
            os.chdir(part)
        return b"".join(parts[-1:]) or b"."

    def member(self, member):
        path = self.place(member.name)
        if member.isdir():
            return self.place(member.name + b"/_") and self.directories.append(member)  # made
        if member.islnk():
            first, at = self.place(member.linkname), os.open(b".", os.O_RDONLY)
            try:
                return os.link(first, self.place(member.name), src_dir_fd=at, follow_symlinks=False)
            finally:
                os.close(at)
        whole = not member.isreg() or self.content(member, path)
        if member.issym():
            os.symlink(member.linkname, path)
        elif not member.isreg():
            kind = {b"3": 0o020000, b"4": 0o060000, b"6": 0o010000}[member.type]
            os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        return whole and self.attributes(path, member)

    def content(self, member, path):  # zeros as holes; False, and no file, if it is not whole
        done, digest, numbers, rest = 0, hashlib.sha256(), [1, 0, member.size], b""
        size = int(member.pax_headers.get(b"GNU.sparse.realsize", member.size))
        if b"GNU.sparse.major" in member.pax_headers:
            numbers = []  # how many pieces are stored; offset and length of each; a line each
            while not numbers[2 * (numbers or [0])[0]:] and (block := self.read(512)):
                *lines, rest = (rest + block).split(b"\n")
                numbers += map(int, lines)
        said = member.pax_headers.get(b"comment", b"").decode(errors="replace")
        if (check := said.startswith("SHA-256 ")) and size - self.left > 1 << 32:  # takes long
            check = note(f"{member.name!a}: over 4 GiB of holes: SHA-256 not compared")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for offset, left in zip(numbers[1::2], numbers[2::2]):
                while check and done < offset:
                    done += digest.update(bytes(step := min(offset - done, 1 << 20))) or step
                done = offset
                while left and (piece := self.read(min(left, 1 << 16))):
                    digest.update(piece)
                    if piece.count(0) < len(piece):
                        out.seek(done)
                        out.write(piece)
                    left, done = left - len(piece), done + len(piece)
                size += left  # what is lost keeps it from being whole
            out.truncate(done)
        if done != size or check and said[8:] != digest.hexdigest():
            os.unlink(path)
            return problem(f"{os.fsdecode(member.name)}: it is not whole, so it was not restored")
        if never := member.pax_headers.get(b"BAILEE.unreadable", b"").decode(errors="replace"):
            problem(f"{os.fsdecode(member.name)}: never read, zeros (offset,length): {never}")
        if b"BAILEE.changed" in member.pax_headers:
            note(f"{member.name!a}: it changed while it was preserved")
        return True

    def attributes(self, path, member):
        what, time = f"{os.fsdecode(member.name)}: could not set its ", int(member.mtime * 10**9)
        attempt(what + "owner", os.lchown, path, *(owner := (member.uid, member.gid)), kind="owners")
        if not member.issym():
            if (mode := member.mode) & 0o6000 and os.lstat(path)[4:6] != owner:
                mode = note(f"{member.name!a}: no set-id bits: another owns it") or mode & 0o1777
            attempt(what + "mode", os.chmod, path, mode)
        for key, value in member.pax_headers.items():
            if key.startswith(b"SCHILY.xattr."):
                name = key[13:].replace(b"%3D", b"=").replace(b"%25", b"%")
                kind = "attributes" if name.startswith((b"trusted.", b"security.")) else None
                attempt(f"{what}attribute {os.fsdecode(name)}", os.setxattr, path, name, value,
                        follow_symlinks=False, kind=kind)
            parts = map(os.fsdecode, value.split(b"\0") if key == b"BAILEE.missing" else ())
            for name, why in zip(parts, parts):
                problem(f"{os.path.join(os.fsdecode(member.name), name)}: never read: {why}")
        attempt(what + "times", os.utime, path, ns=(time, time), follow_symlinks=False)

def main(arguments):
    keyfile, wanted = arguments[:1], arguments[2] if arguments[1:2] == ["--set"] else None
    how, *rest = arguments[3 if wanted else 1:] or [None]
    if how not in ("--tar", "--to") or len(rest) <= (restoring := how == "--to"):
        sys.exit(note(__doc__) or 2)
    source = pieces(collect(rest[restoring:], read_key(*keyfile), wanted))
    if restoring and not Restorer(source, rest[0]).run():
        return any(only_root.values()) and note(f"only root may set {only_root}")
    while (piece := next(source, None)) is not None:
        sys.stdout.buffer.write(piece[0])
    return any(False for _ in source)  # says what else is wrong

if __name__ == "__main__":
    main(sys.argv[1:])
    sys.exit(1 if problems else 0)
