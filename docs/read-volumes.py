#!/usr/bin/env python3
"""Reads archive volumes of Bailee with their key file alone (docs/vault-format.md, section 8).

    read-volumes.py KEYFILE --to DIRECTORY VOLUME...    restores into a new or empty directory
    read-volumes.py KEYFILE --tar VOLUME... | tar -tv   the archive, up to the first gap

Volumes may be given in any order and under any names. What is wrong is said on standard error,
volume by volume; whatever is whole is restored all the same, and a file that is not whole is
removed and named. Exit code 0: all there and authentic. 1: something is not. 2: usage.

Needs Python 3.9 and the package `cryptography`. Shares no code with Bailee.
"""
import hashlib
import os
import struct
import sys
import tarfile
from decimal import Decimal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FIXED, TAG, ENDING, END_FRAME, NONE_STARTS = 88, 16, 25, 2**64 - 1, 2**32 - 1
problems = 0


def problem(text):
    global problems
    problems += 1
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def hkdf(key, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def read_key(path):
    text = open(path, "rb").read(128)
    if len(text) != 65 or text[64:] != b"\n" or text[:64].strip(b"0123456789abcdef"):
        sys.exit(f"{path}: it is not 64 hexadecimal digits and a newline")
    return bytes.fromhex(text[:64].decode())


class Refused(Exception):
    pass


class Volume:
    def __init__(self, path, key):
        self.path, self.file, self.ending, self.description = path, open(path, "rb"), None, None
        self.size = os.fstat(self.file.fileno()).st_size
        fixed = self.file.read(FIXED)
        if len(fixed) < FIXED or fixed[:8] != b"BAILVOL1":
            raise Refused("it does not start as an archive volume")
        (version, origin, self.described, self.set, self.ordinal, self.frame, key_id, salt) = (
            struct.unpack(">HHI16sII16s32s", fixed[8:]))
        if version != 1:
            raise Refused(f"its format version is {version}, this program reads 1")
        if key_id != hkdf(key, b"", b"bailee/vault/v1 kek id", 32)[:16]:
            raise Refused("it was sealed with another key: give that one")
        if origin > 256 or self.described > 1 << 20 or not 8 <= self.frame <= 1 << 18:
            raise Refused("its header is damaged: a length cannot be")
        head = fixed + self.file.read(origin)
        keys = hkdf(key, salt, b"bailee/volume/v1" + head, 64)
        if self.file.read(32) != keys[32:]:
            raise Refused("its header is damaged")
        self.cipher, self.first = AESGCM(keys[:32]), len(head) + 32
        self.data = self.first + self.described + TAG
        self.describe()

    def open_frame(self, number, sealed):
        try:
            return self.cipher.decrypt(struct.pack(">IQ", 0, number), sealed, None)
        except (InvalidTag, ValueError):
            return None

    def describe(self):
        self.file.seek(self.first)
        plain = self.open_frame(0, self.file.read(self.described + TAG))
        if plain is None:
            problem(f"{self.path}: its description (frame 0) is damaged")
        else:
            self.description = plain
        self.file.seek(max(self.data, self.size - ENDING - TAG))
        end = self.open_frame(END_FRAME, self.file.read())
        sealed, last = self.size - ENDING - TAG - self.data, self.frame + TAG
        if end is not None and struct.unpack(">BQQQ", end)[3] == -(-sealed // last):
            self.ending = struct.unpack(">BQQQ", end)
        else:
            problem(f"{self.path}: it is cut off, or its end is damaged")

    def frames(self):
        """Plain bytes of each data frame, None for one that is damaged."""
        self.file.seek(self.data)
        left, number = self.size - ENDING - TAG - self.data, 0
        while left > 0:
            number += 1
            sealed = self.file.read(min(left, self.frame + TAG))
            left -= len(sealed)
            plain = self.open_frame(number, sealed)
            if plain is None or len(plain) <= 4:
                problem(f"{self.path}: frame {number} is damaged")
                plain = None
            yield plain
            if not sealed:
                return


def collect(paths, key):
    """The volumes of the set that most files belong to, by ordinal."""
    opened, result = [], {}
    for path in paths:
        try:
            opened.append(Volume(path, key))
        except (Refused, OSError) as why:
            problem(f"{path}: {why}")
    sets = [volume.set for volume in opened]
    for volume in opened:
        if volume.set != max(sorted(set(sets)), key=sets.count):
            problem(f"{volume.path}: it belongs to set {volume.set.hex()}")
        elif volume.ordinal in result:
            problem(f"{volume.path}: volume {volume.ordinal} was given already")
        else:
            result[volume.ordinal] = volume
    return result


def pieces(volumes):
    """The archive: (bytes, where a member starts in them or None), None for a gap."""
    expected, position = 1, 0
    for ordinal in sorted(volumes):
        volume = volumes[ordinal]
        start = struct.unpack(">Q", volume.description[:8])[0] if volume.description else None
        for missing in range(expected, ordinal):
            problem(f"volume {missing} of the set is missing")
        if expected != ordinal:
            yield None
        elif None not in (start, position) and start != position:
            problem(f"{volume.path}: it does not continue the volume before it")
            yield None
        for plain in volume.frames():
            if plain is None:
                yield None
                continue
            (member,) = struct.unpack(">I", plain[:4])
            yield plain[4:], None if member == NONE_STARTS else member
        if volume.ending is None:
            yield None
        position = volume.ending[2] if volume.ending else None
        expected = ordinal + 1
    if not volumes or not (last := volumes[max(volumes)].ending) or last[0] != 1:
        problem(f"volume {expected} of the set is missing, or whatever follows")
        yield None


class Run:
    """The archive from one member's start to the next gap, as a file to read."""

    def __init__(self, source):
        self.source, self.rest, self.ended, self.over = source, b"", False, False
        for piece in source:
            if piece is not None and piece[1] is not None:
                self.rest = piece[0][piece[1]:]
                return
        self.ended = self.over = True

    def read(self, count):
        parts = []
        while count > 0 and (self.rest or self.refill()):
            parts.append(self.rest[:count])
            self.rest = self.rest[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    def refill(self):
        if not self.ended:
            piece = next(self.source, False)
            self.over = piece is False
            self.ended = not piece
            self.rest = piece[0] if piece else b""
        return bool(self.rest)


class Restorer:
    def __init__(self, to):
        os.makedirs(to, exist_ok=True)
        if os.listdir(to):
            sys.exit(f"{to}: it is not empty: name a new or empty directory")
        self.to, self.directories = os.fsencode(to), []

    def run(self, run):
        try:
            with tarfile.open(fileobj=run, mode="r|", encoding="utf-8",
                              errors="surrogateescape") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()
                    try:
                        self.member(archive, member)
                    except OSError as why:
                        problem(f"{member.name}: {why}")
        except tarfile.TarError as why:
            problem(f"the archive breaks off: {why}")
        while run.read(1 << 20):
            pass

    def member(self, archive, member):
        name = member.name.encode("utf-8", "surrogateescape")
        if name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
            return problem(f"{member.name}: it would leave the directory")
        path = os.path.join(self.to, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if member.isdir():
            os.makedirs(path, mode=0o700, exist_ok=True)
            return self.directories.append((path, member))
        if member.islnk():
            first = member.linkname.encode("utf-8", "surrogateescape")
            return os.link(os.path.join(self.to, first), path, follow_symlinks=False)
        if member.isreg() and not self.content(archive, member, path):
            return None
        if member.issym():
            os.symlink(member.linkname.encode("utf-8", "surrogateescape"), path)
        elif member.isfifo():
            os.mkfifo(path)
        elif not member.isreg():
            kind = 0o020000 if member.ischr() else 0o060000
            os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        return self.attributes(path, member)

    def content(self, archive, member, path):
        """Writes a file, holes and blocks of zeros as holes. False, and no file, if not whole."""
        size, done, digest = member.size, 0, hashlib.sha256()
        pieces, said = member.sparse or [(0, size)], member.pax_headers.get("comment", "")
        member.sparse, member.size = None, sum(length for _, length in pieces)
        source = archive.extractfile(member)  # the pieces, one after the other
        if (check := said.startswith("SHA-256 ")) and size - member.size > 1 << 32:  # takes long
            check = print(f"{path!a}: over 4 GiB of holes: SHA-256 not compared", file=sys.stderr)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            try:
                for offset, left in pieces:
                    while check and done < offset:
                        done += digest.update(bytes(step := min(offset - done, 1 << 20))) or step
                    done = offset
                    while left and (piece := source.read(min(left, 1 << 16))):
                        digest.update(piece)
                        if piece.count(0) < len(piece):
                            out.seek(done)
                            out.write(piece)
                        left, done = left - len(piece), done + len(piece)
                    if left:
                        break
            except tarfile.TarError:
                pass
            out.truncate(done)
        if not (whole := done == size and (not check or said[8:] == digest.hexdigest())):
            os.unlink(path)
            problem(f"{member.name}: it is not whole, so it was not restored")
        return whole

    def attributes(self, path, member):
        def attempt(what, act, *arguments, **named):
            try:
                act(*arguments, **named)
            except OSError as why:
                problem(f"{member.name}: could not set its {what}: {why.strerror}")

        if os.geteuid() == 0:
            attempt("owner", os.lchown, path, member.uid, member.gid)
        if not member.issym():
            attempt("mode", os.chmod, path, member.mode)
        for key, value in member.pax_headers.items():
            if key.startswith("SCHILY.xattr."):
                name, value = key[13:], value.encode("utf-8", "surrogateescape")
                attempt("attributes", os.setxattr, path, name, value, follow_symlinks=False)
        time = int(Decimal(member.pax_headers.get("mtime", member.mtime)) * 10**9)
        attempt("times", os.utime, path, ns=(time, time), follow_symlinks=False)


def main(arguments):
    if len(arguments) < 3 or arguments[1] not in ("--tar", "--to"):
        sys.exit(print(__doc__, file=sys.stderr) or 2)
    key, restoring = read_key(arguments[0]), arguments[1] == "--to"
    source = pieces(collect(arguments[2 + restoring:], key))
    if not restoring:
        while (piece := next(source, None)) is not None:
            sys.stdout.buffer.write(piece[0])
        any(False for _ in source)  # says what else is wrong
        sys.stdout.buffer.flush()
        return
    restorer = Restorer(arguments[2])
    while not (run := Run(source)).over:
        restorer.run(run)
    for path, member in reversed(restorer.directories):
        restorer.attributes(path, member)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.exit(1 if problems else 0)
