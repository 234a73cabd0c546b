#!/usr/bin/env python3
"""draw - the pictures beside the texts: processes.svg, queues.svg, message.svg, lifecycle.svg

    python3 diagrams/draw.py              makes them (make diagrams)
    python3 diagrams/draw.py --check      exit 1 where one is not what this script makes

Names are those of the texts, the code and the logs. What a line means stands below each picture.
"""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from svg import GROUND, QUIET, Picture  # noqa: E402


def processes():
    p = Picture(1120, 690, "Processes", "The eight programs, who starts whom, and what connects them.")
    p.box(20, 60, 520, 560, "group", "a machine (there may be many)")
    p.box(640, 60, 460, 560, "group", "the broker's machine")
    p.box(62, 262, 140, 190, "program")
    p.box(50, 250, 140, 190, "program", "programs", "each with libmom")
    p.box(340, 105, 170, 66, "parent", "mom_daemon", "registers programs", "connects, restarts")
    p.box(340, 225, 170, 54, "process", "mom_requester", "sleeps: its queue")
    p.box(340, 330, 170, 54, "process", "mom_responser", "sleeps: the socket")
    p.box(340, 435, 170, 54, "process", "mom_forwarder", "sleeps: its queue")
    p.box(340, 545, 170, 50, "disk", "spool/", "clients, mail that waits")
    p.box(670, 105, 170, 66, "parent", "broker_server", "accepts machines", "starts, restarts")
    p.box(670, 225, 170, 54, "process", "broker_handler", "sleeps: the socket")
    p.box(670, 330, 170, 54, "process", "broker_sender", "sleeps: its queue")
    p.box(925, 275, 140, 60, "process", "worker", "one a shard", "sleeps: its queue")
    p.box(925, 435, 140, 60, "disk", "db/shard-0/", "log, check-point,", "subscribers")
    p.box(925, 545, 140, 50, "disk", "db/", "machines, registry")
    # who starts whom
    for y in (260, 350, 462):
        p.line("start", (510, 158), (528, 158), (528, y), (510, y))
    for y in (252, 350):
        p.line("start", (840, 158), (858, 158), (858, y), (840, y))
    p.line("start", (840, 142), (1000, 142), (1000, 275))
    # the daemon and the broker
    p.line("ask", (510, 118), (670, 118))
    p.label(590, 110, "connect, HELLO", ground=GROUND)
    p.line("ask", (670, 136), (510, 136))
    p.label(590, 153, "WELCOME", ground=GROUND)
    p.line("tcp", (510, 243), (670, 243))
    p.label(590, 234, "TCP up", ground=GROUND)
    p.label(590, 261, "requests", ground=GROUND)
    p.line("tcp", (670, 366), (510, 366))
    p.label(590, 357, "TCP down", ground=GROUND)
    p.label(590, 384, "answers,", ground=GROUND)
    p.label(590, 399, "messages", ground=GROUND)
    # programs
    p.line("ask", (120, 250), (120, 125), (340, 125))
    p.label(230, 117, "create: registration, a segment")
    p.line("bytes", (203, 290), (245, 290), (245, 243), (340, 243))
    p.label(272, 231, "ring of requests")
    p.line("word", (340, 357), (203, 357))
    p.label(260, 349, "words: answers")
    p.line("bytes", (340, 468), (245, 468), (245, 425), (203, 425))
    p.label(290, 488, "mail boxes")
    p.line("bytes", (425, 384), (425, 435))
    p.label(425, 414, "delivery ring")
    p.line("disk", (425, 489), (425, 545), tail=True)
    p.line("word", (340, 447), (320, 447), (320, 264), (340, 264))
    p.label(268, 308, "words: place,")
    p.label(268, 323, "taken")
    # the broker
    p.line("bytes", (840, 266), (885, 266), (885, 295), (925, 295))
    p.label(908, 254, "a ring a shard")
    p.line("word", (925, 318), (885, 318), (885, 370), (840, 370))
    p.label(912, 388, "words: answers, head")
    p.line("disk", (1010, 335), (1010, 435))
    p.label(1010, 412, "append, fdatasync")
    p.line("disk", (925, 465), (755, 465), (755, 384))
    p.label(830, 484, "reads the log from its place")
    p.line("disk", (840, 122), (1083, 122), (1083, 570), (1065, 570))
    for i, words in enumerate(("requester, responser and forwarder", "are a unit: when one dies, all three", "are started anew, with a new", "connection and fresh rings.")):
        p.text(44, 520 + 17 * i, words, 12)
    for i, words in enumerate(("handler and sender are one too,", "a pair for each machine.")):
        p.text(664, 520 + 17 * i, words, 12)
    p.legend(24, 655, [("ask", "asks"), ("tcp", "TCP"), ("bytes", "ring in shared memory"), ("word", "words in shared memory"), ("disk", "files"), ("start", "starts")])
    return p


LANES = [
    ("requests", ("publish,", "subscribe, ..."), "right", [
        ("program", "program"), ("memory", "request ring"), ("process", "mom_requester"), "tcp",
        ("process", "broker_handler"), ("memory", "ring a shard"), ("process", "worker"), ("disk", "log")]),
    ("answers", ("acknowledged,", "refused"), "left", [
        ("program", "program"), ("memory", "words: answers"), ("process", "mom_responser"), "tcp",
        ("process", "broker_sender"), ("memory", "words: answers"), ("process", "worker")]),
    ("messages", ("what was", "subscribed to"), "left", [
        ("program", "program"), ("memory", "mail box ring"), ("process", "mom_forwarder"), ("memory", "delivery ring"),
        ("process", "mom_responser"), "tcp", ("process", "broker_sender"), ("disk", "log")]),
    ("place", ("what is needed", "no more"), "right", [
        ("program", "program"), ("memory", "words: handed, acked"), ("process", "mom_forwarder"), ("memory", "words: place, taken"),
        ("process", "mom_requester"), "tcp", ("process", "broker_handler"), ("memory", "words: place, credit")]),
]


def lane(p, y, name, says, way, nodes):
    left, column, w, h = 140, 138, 117, 42
    p.box(16, y - 14, p.width - 32, h + 28, "group")
    p.text(28, y + 8, name, 12.5, bold=True)
    for i, words in enumerate(says):
        p.text(28, y + 24 + 13 * i, words, 10.5, colour=QUIET, room=left - 30)
    before = None
    for i, node in enumerate(nodes):
        if node in (None, "tcp"):
            continue
        x = left + column * i
        first, *rest = node[1].split(": ")
        p.box(x, y, w, h, node[0], first + (":" if rest else ""), *rest, size=11.5)
        if before:
            at, other = before
            words = any(n[1].startswith("words") for n in (node, other))
            kind = "tcp" if nodes[i - 1] == "tcp" else "disk" if "disk" in (node[0], other[0]) else "word" if words else "bytes"
            ends = [(at + w + 1, y + h / 2), (x - 1, y + h / 2)]
            p.line(kind, *(ends if way == "right" else reversed(ends)))
            if kind == "tcp":
                p.label((at + w + x) / 2, y + 12, "TCP")
        before = x, node


def queues():
    p = Picture(1264, 610, "Queues, rings and words", "The four ways that bytes and words take between a program and the log, and what each process sleeps on.")
    for i, what in enumerate(LANES):
        lane(p, 76 + 86 * i, *what)
    y = 440
    p.text(24, y, "What each sleeps on: a ticket (a message without content), or the semaphore, wakes it", 13, bold=True)
    beds = [("program", "program", "client-N-sem", "semaphore"), ("process", "mom_requester", "requester-queue", "message queue"),
            ("process", "mom_forwarder", "forwarder-queue", "message queue"), ("process", "mom_responser", "the socket", "read"),
            ("process", "broker_handler", "the socket", "read"), ("process", "broker_sender", "sender-N-queue", "message queue"),
            ("process", "worker", "worker-N-queue", "message queue")]
    for i, (kind, name, bed, what) in enumerate(beds):
        x = 24 + 175 * i
        p.box(x, y + 16, 164, 34, kind, name, size=12)
        p.box(x, y + 54, 164, 44, "memory" if what != "read" else "free", bed, what, size=12)
    p.legend(24, 582, [("bytes", "a ring: whole records, one writer, one reader"), ("word", "words: counters that only grow, one writer each"), ("tcp", "TCP"),
                       ("disk", "the log"), ("memory", "System V object")])
    return p


ROLES = [("program", "publisher", "libmom"), ("process", "mom_requester", "machine"), ("process", "broker_handler", "broker"), ("process", "worker", "broker"),
         ("disk", "log", "db/shard-0/"), ("process", "broker_sender", "broker"), ("process", "mom_responser", "machine"), ("process", "mom_forwarder", "machine"),
         ("program", "subscriber", "libmom")]
STEPS = [
    ("publish", [
        (0, 1, "bytes", "ring, ticket"),
        (1, 2, "tcp", "checks, copies; TCP"),
        (2, 3, "bytes", "checks; ring, ticket"),
        (3, 4, "disk", "append, fdatasync")]),
    ("the answer", [
        (3, 5, "word", "head, acked, results"),
        (5, 6, "tcp", "ANSWERS"),
        (6, 0, "word", "word, semaphore: mom_publish returns 0")]),
    ("delivery", [
        (4, 5, "disk", "pread"),
        (5, 6, "tcp", "once a machine"),
        (6, 7, "bytes", "delivery ring"),
        (7, 8, "bytes", "mail box, post")]),
    ("acknowledged", [
        (8, 7, "word", "next receive"),
        (7, 1, "word", "place: below it all is acknowledged, or synced in the spool"),
        (1, 2, "tcp", "PLACE"),
        (2, 3, "word", "place"),
        (3, 4, "disk", "old segments go")]),
]


def message():
    column, left = 138, 132
    p = Picture(left + column * 8 + 90, 900, "One message, end to end", "A durable publish, its answer, the delivery to a subscriber and what its acknowledgement frees.")
    x = [left + column * i for i in range(len(ROLES))]
    for i, (kind, name, where) in enumerate(ROLES):
        p.box(x[i] - 63, 64, 126, 46, kind, name, where, size=12)
    y = 132
    for number, (part, steps) in enumerate(STEPS):
        ground = "#f2f6fb" if number % 2 == 0 else "#fbf8ef"
        p.band(y, 40 * len(steps) + 14, ground)
        p.text(22, y + 18, part, 11.5, bold=True, colour=QUIET)
        for at in x:
            p.line("start", (at, y), (at, y + 40 * len(steps) + 14), head=False)
        y += 40
        for a, b, kind, text in steps:
            p.line(kind, (x[a] + (2 if b > a else -2), y), (x[b] - (3 if b > a else -3), y))
            p.label((x[a] + x[b]) / 2, y - 10, text, 11, ground)
            y += 40
        y -= 20
    p.text(22, y + 22, "Publisher and subscriber may be on one machine or on two: each machine has its own three.", 11.5)
    y += 19
    p.text(22, y + 22, "A kill anywhere on the way loses nothing: the frame stays in the publisher's ring until it is acknowledged and is sent again from there, and the worker knows its number;", 11.5)
    p.text(22, y + 39, "what was not yet routed is sent again from the machine's place, and the forwarder skips what is in box or spool.", 11.5)
    p.legend(22, y + 68, [("bytes", "ring in shared memory"), ("word", "words in shared memory"), ("tcp", "TCP"), ("disk", "files")])
    p.height = y + 90
    return p


def state(p, x, y, name, *lines, kind="state", w=150, h=54):
    p.box(x, y, w, h, kind, name, *lines, size=12.5)


def lifecycle():
    p = Picture(1120, 760, "Life of a client and of a connection", "States of a client in the daemon's table, of a connection in the broker's table, and of the daemon's link.")
    p.box(20, 60, 1080, 290, "group", "a client, in the table of mom_daemon")
    state(p, 50, 180, "FREE", "no client", kind="free")
    state(p, 400, 180, "LIVE", "a process has it")
    state(p, 840, 105, "AWAY", "durable, no process")
    state(p, 840, 265, "DYING", "ring to its end, DESTROY", w=190)
    p.line("step", (200, 200), (400, 200))
    p.label(300, 190, "mom_create, mom_open")
    p.line("step", (550, 190), (700, 190), (700, 122), (840, 122))
    p.label(640, 112, "durable: mom_close, or it dies")
    p.line("step", (840, 150), (725, 150), (725, 206), (550, 206))
    p.label(790, 183, "mom_open: resumed")
    p.line("step", (550, 222), (590, 222), (590, 282), (840, 282))
    p.label(712, 275, "mom_destroy; anonymous: it dies")
    p.line("step", (940, 159), (940, 265))
    p.label(960, 215, "away for longer than --machine-expiry")
    p.line("step", (840, 305), (125, 305), (125, 234))
    p.label(420, 298, "DESTROY is acknowledged by every shard: segment and semaphore are removed")
    p.box(20, 370, 530, 290, "group", "the daemon's link to its broker")
    state(p, 50, 420, "IDLE", "waits 10 ms to 1 s", kind="free")
    state(p, 350, 420, "CONNECTING")
    state(p, 350, 560, "HELLO", "waits for WELCOME")
    state(p, 50, 560, "UP", "the unit of three runs")
    p.line("step", (200, 440), (350, 440))
    p.label(275, 430, "due")
    p.line("step", (425, 474), (425, 560))
    p.label(425, 520, "connected")
    p.line("step", (350, 595), (200, 595))
    p.label(275, 588, "WELCOME")
    p.line("step", (105, 560), (105, 474))
    p.label(120, 525, "one of the three ends")
    p.line("step", (350, 462), (200, 462))
    p.label(275, 479, "failed")
    p.line("step", (365, 560), (365, 545), (240, 545), (240, 470), (200, 470), head=False)
    p.line("step", (206, 470), (200, 470))
    p.label(304, 536, "REFUSE, no answer")
    p.box(570, 370, 530, 290, "group", "a connection, in the table of broker_server")
    state(p, 600, 420, "FREE", kind="free")
    state(p, 900, 420, "HELLO", "handler reads")
    state(p, 900, 560, "LIVE", "handler and sender")
    state(p, 600, 560, "DYING", "both are ended")
    p.line("step", (750, 440), (900, 440))
    p.label(825, 430, "accept")
    p.line("step", (975, 474), (975, 560))
    p.label(975, 520, "WELCOME")
    p.line("step", (900, 595), (750, 595))
    p.label(825, 612, "one ends, or 12 s")
    p.label(825, 627, "without a ping")
    p.line("step", (675, 560), (675, 474))
    p.label(675, 520, "both reaped")
    p.line("step", (900, 466), (790, 466), (790, 572), (750, 572))
    p.label(812, 530, "refused, silent")
    p.text(24, 690, "A restart of either side begins with what is on disk: a daemon adopts the clients that live, a broker recovers its log. After each WELCOME the machine tells its list,", 11.5)
    p.text(24, 707, "every ring is sent again from its tail, and the stream goes on at the machine's place.", 11.5)
    p.legend(24, 740, [("state", "state"), ("free", "nothing there"), ("step", "what changes it")])
    return p


def main():
    folder, stale = pathlib.Path(__file__).resolve().parent, 0
    for picture in (processes, queues, message, lifecycle):
        path, text = folder / f"{picture.__name__}.svg", str(picture())
        if sys.argv[1:] != ["--check"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path.name} is not what draw.py makes: make diagrams", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
