"""Checks Bailee bundles: python3 verify.py [--policy FILE] [--roots PEM] BUNDLE... Needs Python 3.9, cryptography 47; for timestamps
rfc3161-client. To be read, too: the grammar of all files, then what must hold. Exit code 1: something contradicts a bundle. 0:
nothing does, not that each of four claims is shown. Without your policy (`log VKEY`, `quorum none`) and roots, the bundle's count."""
import argparse, base64, collections, hashlib, hmac, importlib.util, mmap, re, struct, sys, zlib; from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
tsp = importlib.util.find_spec("rfc3161_client") and importlib.import_module("rfc3161_client")
NAME, NUMBER, HEX = r"[^\s+\0-\x1f\x7f-\x9f]{1,255}", "(?:0|[1-9][0-9]{0,19})", "[0-9a-f]{64}"  # a value has one spelling
FULL, HASH, CLAIMS = 0xFFFFFFFF, "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", ("documents", "log", "witnesses", "timestamp")
B64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?"
NOTE = f"((?:[^\0-\x09\x0b-\x1f\x7f-\x9f]*\n)?)\n((?:— {NAME} (?=[^=\n]{{7}}){B64}\n){{1,100}})"
VKEY, CHECKPOINT = f"({NAME})[+]([0-9a-f]{{8}})[+]({B64})", f"({NAME})\n({NUMBER})\n({HASH})\n(?:[^\n]+\n)*"  # c2sp.org
PROOF = f"c2sp[.]org/tlog-proof@v1\n(?:extra (?!\n){B64}\n)?index ({NUMBER})\n((?:{HASH}\n){{0,64}})\n(.+)"
STATEMENT = f"bailee/bundle/v1\n(?:receipt|matter|certificate)\n({NAME})\n({HEX})\n"
PATH, TAG = r"(?!(?:.*/)?[.]{0,2}(?:/|$))[A-Za-z0-9._/-]{1,251}", r"(?!bundle[.]note|tagmanifest-)[^/\n]+"
BAGIT, VALUE = "BagIt-Version: 1[.]0\nTag-File-Character-Encoding: UTF-8\n", r"(?!\s)[^\0-\x1f\x7f-\x9f]{1,1000}(?<!\s)"
INFO = f"Source-Organization: %s\nExternal-Identifier: {VALUE}\nBag-Software-Agent: {VALUE}\nPayload-Oxum: %d[.]%d\n"
U16 = rb"[\0-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff]."  # leaf: CBOR, [1, type, hours, [three commitments]]
LEAF = rb"\x84\x01(" + U16 + rb")(" + U16 + rb"|\x1a(?!\0\0).{4})\x83" + rb"(\xf6|\x58\x20.{32})" * 3
ENTRY, STAMP = "data/entries/([0-9]{9}|[1-9][0-9]{9,19})/", "data/timestamps/([a-z0-9][a-z0-9._-]{0,63})/"
PLACES = {"log": ENTRY + "proof[.]tlog-proof|data/checkpoint", "documents and log": ENTRY + "leaf[.]bin",  # by what rests on them
    "documents": ENTRY + f"opened/(what|who|papers)[.](cbor|salt)|data/(exhibits/{HEX}|certificate[.]json)",
    "timestamp": STAMP + "([1-9]?[0-9][.]tsr|roots[.]pem)", "none": "data/(policy[.]tlog-policy|[^/]+[.](txt|md|html|pdf))"
    "|VERIFY[.]md|verify[.](html|py)|bundle[.]note|(bagit|bag-info|(tag)?manifest-sha256)[.]txt"}
def need(condition, why):
    if not condition: raise ValueError(why)
    return condition
def parse(grammar, data, what):
    return need(re.fullmatch(grammar, data if type(data) is type(grammar) else bytes(data).decode(), re.S), f"not a {what}").groups()
def place(path): return next((claims for claims, names in PLACES.items() if re.fullmatch(names, path)), "")
def sha256(data): return hashlib.sha256(data).digest()
def header(path, size, crc, *at):  # before a file or, with its place, in the directory; ZIP64's field holds what does not fit
    name, few, wide = b"bag/" + path.encode(), min(size, FULL), [value for value in (size, size, *at) if value >= FULL]
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    both = struct.pack("<5H3I2H", 45 if wide else 10, 0, 0, 0, 33, crc, few, few, len(name), len(extra))
    return (b"PK\1\2" + both[:2] + both + bytes(10) + struct.pack("<I", min(*at, FULL)) if at else b"PK\3\4" + both) + name + extra
def open_archive(path):  # stored files have one permitted encoding in a ZIP: it is made again and compared; contents stay on disk
    with open(path, "rb") as file: whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    count, size, start = struct.unpack("<10xHII2x", whole[-22:])
    if count == 0xFFFF or FULL in (size, start): count, size, start = struct.unpack("<32x3Q42x", whole[-98:])
    files, sums, at, place, end = {}, {}, 0, start, b""
    while place < start + need(size <= 329 * count <= 329 << 20 and size, "the directory is larger than it may be"):
        crc, length, n = struct.unpack_from("<16xI4xIH", whole, place)
        if length == FULL: length, = struct.unpack_from("<Q", whole, place + 50 + n)
        path, = parse(f"bag/({PATH})", whole[place + 46:place + 46 + n], "name of a file")
        first, record = header(path, length, crc), header(path, length, crc, at)
        fits = whole[at:at + len(first)] == first and whole[place:place + len(record)] == record
        at, place = need(fits and at + len(first), f"a header of {path} was altered"), place + len(record)
        files[path], sums[path], at = whole[at:at + length], crc, at + length
    if count >= 0xFFFF or max(size, at) >= FULL:
        end = struct.pack("<4sQ2H5Q4sIQI", b"PK\6\6", 44, 45, 45, 0, count, count, size, at, b"PK\6\7", 0, at + size, 1)
    end += struct.pack("<4sI2H2IH", b"PK\5\6", 0, min(count, 0xFFFF), min(count, 0xFFFF), min(size, FULL), min(at, FULL), 0)
    need([*files] == sorted(files) and len({*map(str.lower, files)}) == count and (place, whole[place:]) == (at + size, end), "unfit end")
    for path in files: need(zlib.crc32(files[path]) == sums[path], f"the content of {path} was altered")
    return files
Key, LOG, COSIGNER, ML_DSA = collections.namedtuple("Key", "name id kind public"), 1, 4, 6  # c2sp.org/tlog-cosignature
def parse_key(text, *kinds):
    name, key_id, key = parse(VKEY, text, "key (name+id+key)"); kind, *_ = key = base64.b64decode(key)
    size, computed = {LOG: 33, COSIGNER: 33, ML_DSA: 1313}.get(kind), sha256(name.encode() + b"\n" + key)[:4]
    fits = kind in kinds and len(key) == size and computed.hex() == key_id and len(name.encode()) < 256
    return need(fits and Key(name, computed, kind, key[1:]), f"the key {name} has another id, or no place here")
def parse_note(data):  # text, [(name, key id and signature)]
    text, lines = parse(NOTE, data, "signed note")
    return text, [(need(len(name.encode()) < 256 and name, "a long name"), base64.b64decode(line))
                  for name, line in re.findall("— (.*) (.*)\n", lines)]
def signed_at(key, text, signature):  # the time that a cosigner states; raises if the signature does not verify
    ed = key.kind != ML_DSA and ed25519.Ed25519PublicKey.from_public_bytes(key.public)
    if key.kind == LOG: return ed.verify(signature, text.encode())
    time, signature = int.from_bytes(need(signature[0] < 128 and signature[:8], "no such time"), "big"), signature[8:]
    if ed: return ed.verify(signature, f"cosignature/v1\ntime {time}\n{text}".encode()) or time
    origin, size, root = parse(CHECKPOINT, text, "checkpoint")
    short = [len(key.name.encode()), key.name.encode(), time, len(origin.encode()), origin.encode()]
    message = struct.pack(f">12sB{short[0]}sQB{short[3]}sQQ32s", b"subtree/v1\n\0", *short, 0, int(size), base64.b64decode(root))
    return mldsa.MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message) or time or None
def signers(note, keys):  # {key: time}; unknown keys are ignored, a known one must not fail
    known = {(key.name, key.id): key for key in keys}
    return {key: time for key, time in reversed([(key, signed_at(key, note[0], line[4:])) for name, line in note[1]
                                                 for key in [known.get((name, line[:4]))] if key])}  # the first of a key
class Policy:  # c2sp.org/tlog-policy: whose signatures count
    def __init__(self, data):
        self.logs, self.voices, quorum, members = [], {"none": None}, [], []
        for line in parse("([^\0-\x08\x0b-\x1f\x7f]*)\n", data, "policy")[0].split("\n"):
            kind, *words = re.findall("[^ \t]+", line) or "#"
            new = words and words[0] not in self.voices and not re.search("[\x80-\x9f]", words[0])
            if kind == "log" and len(words) in (1, 2): self.logs.append(parse_key(words[0], LOG))
            elif kind == "witness" and len(words) in (2, 3) and new: self.voices[words[0]] = parse_key(words[1], COSIGNER, ML_DSA)
            elif kind == "group" and len(words) > 2 and new and {*words[2:]} <= {*self.voices}:
                k = {"any": 1, "all": len(words) - 2}.get(words[1]) or int(*parse(f"({NUMBER})", words[1], "number"))
                self.voices[words[0]], members = (need(0 < k <= len(words) - 2 and k, line), words[2:]), members + words[2:]
            elif kind == "quorum" and len(words) == 1 and words[0] in self.voices: quorum += words
            else: need(kind[0] == "#", f"a line of the policy is unfit: {line}")
        self.witnesses, (self.quorum,) = [v for v in self.voices.values() if isinstance(v, Key)], quorum
        self.own = [key for key in self.witnesses if key.name in [log.name for log in self.logs]]  # count for no quorum
        for names in members + ["none"], [k.public for k in self.logs], [k.public for k in self.witnesses]:
            need(len(set(names)) == len(names), "a key stands twice, or a name is a member twice")
        need(not any(self.voices[name] in self.own for name in members + quorum), "a log is its own witness")
    def reached_by(self, name, times):  # smallest time by which this voice had seen the tree; 1 << 64: never
        if isinstance(voice := self.voices[name], (Key, type(None))): return times.get(voice, 1 << 64)
        return sorted(self.reached_by(member, times) for member in voice[1])[voice[0] - 1]
def root_of(leaf, index, size, path):  # RFC 6962 2.1.1: from where leaf and last leaf meet, siblings are on the left
    meet, node = (index ^ size - 1).bit_length(), sha256(b"\0" + leaf)
    need(index < size and len(path) == meet + bin(index >> meet).count("1"), "the path is too long, or too short")
    for level, sibling in enumerate(path):
        node = sha256(b"\1" + (sibling + node if level >= meet or index >> level & 1 else node + sibling))
    return node
def stamped_at(response, imprint, roots, until):  # RFC 3161: the time stated; most is checked by rfc3161-client
    token = response[response.index(bytes.fromhex("06092a864886f70d010702")) - 4:]
    carried = {found.public_bytes(Encoding.DER): found for found in pkcs7.load_der_pkcs7_certificates(token)}
    response = response.replace(b"".join(carried), b"".join(sorted(carried)))  # OpenSSL's authority does not sort them
    tsp.VerifierBuilder(roots=roots).build().verify(reply := tsp.decode_timestamp_response(response), imprint)
    (signer,), time = reply.signed_data.signer_infos, reply.tst_info.gen_time
    for der, found in carried.items():
        need(time <= (until or time) <= found.not_valid_after_utc, "it was renewed too late, or is younger")
        named = any(hashlib.new(name, der).digest() in response for name in ("sha1", "sha256", "sha384", "sha512"))
        need(named or (found.issuer, found.serial_number) != (signer.issuer, signer.serial_number), "ESSCertID")
    return need(reply.tst_info.message_imprint.hash_algorithm.dotted_string == "2.16.840.1.101.3.4.2.1" and time, "SHA-256")
class Bundle:  # a bag (RFC 8493) whose tag manifest the log has signed
    def __init__(self, path, policy=None, roots=None):
        self.path, self.pinned, self.problems, self.claims, self.said = path, bool(policy), [], {}, collections.defaultdict(list)
        self.attempt("REFUSED", self.check, policy, roots)  # nothing in it can be believed when this fails
    def check(self, policy, roots):
        self.files, self.hex = (files := open_archive(self.path)), {path: sha256(data).hex() for path, data in files.items()}.get
        self.policy, note = policy or Policy(self.read("data/policy.tlog-policy")), parse_note(self.read("bundle.note"))
        self.origin, digest = parse(STATEMENT, note[0], "statement about a bundle")
        need([self.origin] == [key.name for key in signers(note, self.policy.logs)] and len(note[1]) == 1, "bundle.note")
        listed = {"bundle.note": self.hex("bundle.note"), "tagmanifest-sha256.txt": digest}
        for path, names in ("tagmanifest-sha256.txt", TAG), ("manifest-sha256.txt", "data/.+"):
            listed.update(self.manifest(path, listed[path], names))
        self.problems += [(path, "it is not as it is listed, or has no place in a bundle")
                          for path in listed.keys() | self.files.keys() if self.hex(path) != listed.get(path) or not place(path)]
        payload = [len(data) for path, data in self.files.items() if path.startswith("data/")]
        for path, grammar in ("bagit.txt", BAGIT), ("bag-info.txt", INFO % (re.escape(self.origin), sum(payload), len(payload))):
            self.attempt(path, lambda: parse(grammar, self.read(path), path))
        self.tree = self.attempt("data/checkpoint", self.checkpoint)
        entries = sorted({int(path.split("/")[2]) for path in self.files if re.match(ENTRY, path) and place(path)})
        named = {digest.hex() for index in entries for digest in self.entry(index, f"data/entries/{index:09}/")}
        for path in (path for path in self.files if re.fullmatch("data/(exhibits/.*|certificate[.]json)", path)):
            tied = self.hex(path) in named and path in ("data/exhibits/" + self.hex(path), "data/certificate.json")
            (self.said["documents"] if tied else self.problems).append((path, "is named in papers" if tied else "no papers name it"))
        stamped = {found[1] for found in map(re.compile(STAMP).match, self.files) if found}
        for authority in stamped if tsp else (): self.attempt("timestamp", self.stamps, f"data/timestamps/{authority}/", roots)
        self.attempt("witnesses", self.witnesses)
        failed = " ".join(place(path) or path for path, _ in self.problems).split()
        self.claims = {claim: "failed" if claim in failed else "proven" if self.said[claim] else default
                       for claim, default in zip(CLAIMS, 3 * ["not shown"] + ["not checked" if stamped and not tsp else "not shown"])}
    def read(self, path): return bytes(self.files[path]) if len(self.files[path]) <= 16 << 20 else need(0, f"{path} is too large")
    def attempt(self, path, act, *arguments):  # a problem never hides another
        try: return act(*arguments)
        except Exception as error: self.problems.append((path, f"{error}" or type(error).__name__))
    def manifest(self, path, wanted, names):  # {path: SHA-256}
        text = bytes(need(self.hex(path) == wanted and self.files[path], f"{path} is not the one that is signed")).decode()
        listed = {name: digest for digest, name in re.findall(f"({HEX})  ({names})\n", text) if re.fullmatch(PATH, name)}
        return need("".join(f"{listed[name]}  {name}\n" for name in sorted(listed)) == text and listed, f"{path} is unfit")
    def checkpoint(self):  # under the log's signatures alone
        origin, size, root = parse(CHECKPOINT, (note := parse_note(self.read("data/checkpoint")))[0], "checkpoint")
        need(origin == self.origin and origin in [key.name for key in signers(note, self.policy.logs)], "another log's")
        signers(note, [key for key in self.policy.own if key.kind == ML_DSA and key.name == origin])
        return note, int(size), base64.b64decode(root)
    def entry(self, index, at):  # yields every 32 bytes of its papers, if it is in the tree
        fields = self.attempt(at + "leaf.bin", lambda: parse(LEAF, self.read(at + "leaf.bin"), "leaf"))
        included = self.attempt(at + "proof.tlog-proof", self.included, at, index)
        for n, path in enumerate(f"{at}opened/{section}" for section in ("what", "who", "papers")):
            if {path + ".cbor", path + ".salt"} & self.files.keys():
                papers = self.attempt(path + ".cbor", self.opened, path, n, fields)
                if n == 2 and included and papers: yield from (papers[i:i + 32] for i in range(len(papers)))
    def included(self, at, index):
        (found, path, checkpoint), (_, size, root) = parse(PROOF, self.read(at + "proof.tlog-proof"), "tlog-proof"), self.tree
        need(int(found) == index and checkpoint.encode() == self.read("data/checkpoint"), "of another index or tree")
        leads_to = root_of(self.read(at + "leaf.bin"), index, size, [*map(base64.b64decode, path.split())])
        return need(leads_to == root, "another root") and not self.said["log"].append((f"entry {index}", f"is in the tree of {size}"))
    def opened(self, path, n, fields):
        content, salt = self.read(path + ".cbor"), self.read(path + ".salt")
        mac = need(len(salt) == 32, "salt") and hmac.new(salt, bytes([n]) + content, "sha256").digest()
        need(fields and fields[2 + n] == b"\x58\x20" + mac, "it is not what the leaf commits to")
        return self.said["documents"].append((path + ".cbor", "is what the leaf commits to")) or content
    def witnesses(self):
        times = {k: t for k, t in signers(self.tree[0], self.policy.witnesses).items() if t is not None and k not in self.policy.own}
        if self.policy.reached_by(self.policy.quorum, times) < 1 << 64:
            self.said["witnesses"] = [(key.name, f"cosigned at {times[key]} (Unix time)") for key in times]
        else: need(self.policy.quorum == "none" or not self.pinned, "the quorum of your policy is not reached")
    def stamps(self, at, pinned):  # token n covers token n - 1, the first the checkpoint
        own = self.tree and x509.load_pem_x509_certificates(self.read(at + "roots.pem"))
        count, until = max(1, sum(path.startswith(at) for path in self.files) - 1), None
        files = [self.read("data/checkpoint"), *(self.read(f"{at}{n}.tsr") for n in range(count))]
        for covered, token in reversed([*zip(files, files[1:])]):
            try: until = stamped_at(token, sha256(covered), pinned or own, until)
            except Exception: return stamped_at(token, sha256(covered), own, until) and None  # good, but not under your roots
        self.said["timestamp"].append((at.split("/")[2], f"says that the checkpoint existed at {until}"))
    def __str__(self):
        told = [f"{state.upper():11} {claim}" + "".join("\n" + 14 * " " + " ".join(detail) for detail in self.said[claim])
                for claim, state in self.claims.items()]
        return "\n  ".join([self.path, *told, *("PROBLEM     " + ": ".join(problem) for problem in self.problems)])
if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--policy", type=lambda path: Policy(open(path, "rb").read()))
    options.add_argument("--roots", type=lambda path: x509.load_pem_x509_certificates(open(path, "rb").read()))
    given, paths = options.parse_known_args()
    bundles = [Bundle(path, given.policy, given.roots) for path in paths or options.error("which bundles?")]
    print(*bundles, f"whose signatures count: {'your policy says' if given.policy else 'THE BUNDLES SAY, not you'}", sep="\n")
    sys.exit(any(bundle.problems for bundle in bundles))
