#!/usr/bin/env python3
"""Verifies an exported Foretide audit log and signed checkpoints of it. Needs Python 3.9, nothing else.

    verify_audit.py EXPORT --log-key KEY [--checkpoint FILE]... [--witness FILE --witness-key KEY]

Shares no code with Foretide. Record hashes: docs/adr/0026-signed-checkpoints.md. Tree: RFC 6962, the
entries are the records' hashes. Notes: https://c2sp.org/signed-note. Ed25519: RFC 8032.
Exit code 0: intact; 1: broken, and the record or checkpoint is named.
"""
import argparse
import base64
import hashlib
import json
import re
import sys
from datetime import datetime, timezone

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


class Broken(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def recover_x(y, sign):  # RFC 8032, 5.1.3
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or (x == 0 and sign):
        raise Broken("not a point of the curve")
    return P - x if x & 1 != sign else x


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        result = add(result, point) if factor & 1 else result
        point, factor = add(point, point), factor >> 1
    return result


def decode_point(data):
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = decode_point(BASE_Y.to_bytes(32, "little"))


def is_signed(public, message, signature):  # RFC 8032, 5.1.7
    if len(signature) != 64:
        return False
    try:
        a, r = decode_point(public), decode_point(signature[:32])
    except Broken:
        return False
    s = int.from_bytes(signature[32:], "little")
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    left = multiply(s, BASE)
    right = add(r, multiply(int.from_bytes(challenge, "little") % ORDER, a))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0
    return s < ORDER and same


def read_checkpoint(path, *keys):
    """Size and root of a checkpoint that all the keys have signed."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text, lines = file.read().rsplit("\n\n", 1)
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        signatures = [line[2:].split(" ") for line in lines.removesuffix("\n").split("\n")]
        signatures = [(name, base64.b64decode(data, validate=True)) for name, data in signatures]
        root, size = base64.b64decode(root, validate=True), int(size)
    except (ValueError, IndexError) as error:
        raise Broken(f"checkpoint {path}: damaged ({error})") from None
    for number, key in enumerate(keys):
        name, key_id, data = key.split("+", 2)
        data = base64.b64decode(data, validate=True)
        expected_id = sha256(name.encode(), b"\n", data)[:4]
        if expected_id.hex() != key_id or (number == 0 and name != origin):
            raise Broken(f"checkpoint {path}: of {origin}, not of the log {name}")
        found = [signed[4:] for signer, signed in signatures if signer == name and signed[:4] == expected_id]
        message = text.encode()
        if data[0] == 4:  # a cosignature: https://c2sp.org/tlog-cosignature
            times = [int.from_bytes(signed[:8], "big") for signed in found]
            message = b"".join(b"cosignature/v1\ntime %d\n" % time for time in times[:1]) + message
            found = [signed[8:] for signed in found]
        if not found or not is_signed(data[1:], message, found[0]):
            raise Broken(f"checkpoint {path}: not signed by {name}, or altered")
    return path, size, root


def record_hash(record):
    time = re.fullmatch(r"(.{19})(?:\.(\d+))?Z", record["recorded_at"])
    seconds = int(datetime.fromisoformat(time[1]).replace(tzinfo=timezone.utc).timestamp())
    nanos = int((time[2] or "").ljust(9, "0"))
    run_id = record["run_id"]
    fields = ["foretide.audit-record.v1", record["sequence"].to_bytes(8, "big"), record["event_id"],
              (seconds * 1000 + nanos // 10**6).to_bytes(8, "big", signed=True), nanos.to_bytes(4, "big"),
              record["actor"], record["action"], record["subject"], bytes([run_id is not None]),
              run_id or "", record["details"], bytes.fromhex(record["previous_hash"])]
    fields = [field.encode() if isinstance(field, str) else field for field in fields]
    return sha256(*(len(field).to_bytes(8, "big") + field for field in fields))


def read_export(path):
    """The hashes of all records, each checked against its fields and the record before."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    if lines[0].get("foretide_audit_chain") != 1 or "head" not in lines[-1]:
        raise Broken("not a whole export: the first or the last line is missing")
    hashes, events = [], set()
    for number, record in enumerate(lines[1:-1], start=1):
        before = hashes[-1] if hashes else bytes(32)
        if record["sequence"] != number or record["event_id"] in events:
            raise Broken(f"record {number}: missing, out of order or repeated")
        if record_hash(record).hex() != record["hash"] or record["previous_hash"] != before.hex():
            raise Broken(f"record {number}: altered, or not the successor of the record before")
        events.add(record["event_id"])
        hashes.append(bytes.fromhex(record["hash"]))
    head = {"sequence": len(hashes), "hash": (hashes[-1] if hashes else bytes(32)).hex()}
    if lines[-1]["head"] != head:
        raise Broken(f"record {len(hashes)}: the last line names another end")
    return hashes


def tree_root(hashes):
    """MTH of RFC 6962: levels of full pairs; a node without a sibling is taken up as it is."""
    level = [sha256(b"\0", entry) for entry in hashes] or [sha256()]
    while len(level) > 1:
        pairs = [sha256(b"\1", *level[at:at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2:]
    return level[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export")
    parser.add_argument("--log-key", required=True)
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--witness")
    parser.add_argument("--witness-key")
    args = parser.parse_args()
    if bool(args.witness) != bool(args.witness_key):
        parser.error("--witness and --witness-key go together")
    try:
        kept = [read_checkpoint(path, args.log_key) for path in args.checkpoint]
        kept += [read_checkpoint(args.witness, args.log_key, args.witness_key)] if args.witness else []
        hashes = read_export(args.export)
        agreed = 0
        for path, size, root in sorted(kept, key=lambda checkpoint: checkpoint[1]):
            if size > len(hashes):
                raise Broken(f"record {len(hashes) + 1}: cut off; {path} was signed of {size} records")
            if tree_root(hashes[:size]) != root:
                raise Broken(f"records {agreed + 1} to {size}: rewritten; they are not what {path} was signed for")
            agreed = size
    except (Broken, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        print(f"broken: {error}")
        return 1
    print(f"intact: {len(hashes)} records, signed up to record {agreed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
