"""python.py CASE ARGUMENT... - the Python half of tests/integration/python.c; exit 0 and `done` on stdout where all was as it has to be"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "src", "api"))
import mom  # noqa: E402


def expect(error, call, *arguments, **more):
    """The call fails with this class; the exception."""
    try:
        got = call(*arguments, **more)
    except error as e:
        return e
    raise AssertionError("%s%r gave %r and not %s" % (call.__name__, arguments, got, error.__name__))


PAYLOADS = [b"", b"x", b"\x00\x01\xff", "gr\u00fc\u00df".encode(), b"z" * 70000, bytes(range(256)) * 4096]


def answer():
    """Sends back on `out` what comes on `in`, until `end`: the C side does the talking."""
    with mom.Client() as c:
        c.subscribe("in")
        c.publish("out", "ready")
        for m in c:
            assert m.topic == "in" and not m.redelivered and not m.gap and m.publisher != c.global_id and abs(m.time - time.time()) < 3600, m
            if m.data == b"end":
                break
            c.publish("out", m.data, fast=len(m.data) % 2 == 1, wait=len(m.data) > 100)


def exchange():
    """A program with itself: every way to publish, every kind of payload, order, fields."""
    with mom.Client() as c:
        c.subscribe("py/\u00e4")
        sent = []
        for fast in (False, True):
            for wait in (True, False):
                for data in PAYLOADS + ["text", bytearray(b"array"), memoryview(b"view")]:
                    c.publish("py/\u00e4", data, fast=fast, wait=wait)
                    sent.append(data.encode() if isinstance(data, str) else bytes(data))
        c.flush(20)
        offset = 0
        for data in sent:
            m = c.receive(20)
            assert (m.topic, m.data, m.publisher, m.redelivered, m.gap) == ("py/\u00e4", data, c.global_id, False, False), m[:1] + m[2:]
            assert m.offset > offset and m.when.timestamp() == m.time
            offset = m.offset
        expect(mom.Timeout, c.receive, 0)
        c.unsubscribe("py/\u00e4")
        c.subscribe("py/\u00e4", echo=False)
        c.publish("py/\u00e4", "nobody hears this")
        expect(mom.Timeout, c.receive, 0.3)


def errors():
    """Each code of mom.h has its class, each failure its text; nothing is left after close."""
    with open(os.path.join(SOURCE, "include", "mom.h")) as f:
        codes = {name: int(code) for name, code in re.findall(r"^\t(MOM_E\w+)\s*= (-\d+)", f.read(), re.M)}
    assert len(codes) >= 17 and sorted(codes.values()) == sorted(mom._ERRORS), codes
    with mom.Client() as c:
        c.subscribe("t")
        for error, call, arguments in ((mom.BadTopic, c.publish, ("#", b"")), (mom.BadTopic, c.subscribe, ("",)), (mom.BadTopic, c.publish, ("a\0b", b"")),
                                       (mom.AlreadySubscribed, c.subscribe, ("t",)), (mom.NotSubscribed, c.unsubscribe, ("other",)),
                                       (mom.TooBig, c.publish, ("t", bytes(1048577))), (mom.InvalidArgument, c.receive, (-2,)),
                                       (mom.Timeout, c.receive, (0,)), (TimeoutError, c.receive, (0.05,)), (TypeError, c.publish, ("t", 5)), (mom.BadTopic, c.will, ("#",)),
                                       (mom.NoSubscriber, lambda topic: c.publish(topic, b"", need_subscriber=True), ("nobody",)),
                                       (mom.InvalidArgument, lambda topic: c.publish(topic, b"", wait=False, need_subscriber=True), ("t",))):
            e = expect(error, call, *arguments)
            assert error in (TypeError, TimeoutError) or (e.code == error.code and e.text == str(e) and len(e.text) > 10), (e, error)
        c.subscribe("t", exist_ok=True)
        expect(mom.InvalidArgument, mom.Client, "no/name")
        with mom.Client("busy") as d:
            assert "process" in expect(mom.Busy, mom.Client, "busy").text
            d.destroy()
        assert d.closed
        pid = os.fork()
        if pid == 0:
            try:
                expect(mom.Forked, c.publish, "t", b"")
                c.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        c.publish("t", "the parent goes on")
        assert c.receive(5).text == "the parent goes on"
    for call, arguments in ((c.publish, ("t", b"")), (c.receive, (0,)), (c.flush, ()), (c.ack, ())):
        assert "closed" in expect(mom.BadHandle, call, *arguments).text
    c.close()
    os.environ["MOM_RUN"] = "/nowhere"
    e = expect(mom.NoDaemon, mom.Client)
    assert "MOM_RUN" in e.text and e.code == -4, e.text


def durable_first():
    """Takes two of three, acknowledges one, and is killed."""
    c = mom.Client("keeper", manual_ack=True)
    c.subscribe("jobs")
    for job in "123":
        c.publish("jobs", job)
    assert c.receive(20).text == "1"
    c.ack()
    assert c.receive(20).text == "2"
    os.kill(os.getpid(), signal.SIGKILL)


def durable_again():
    """What was not acknowledged comes again, once; a close keeps the place."""
    with mom.Client("keeper") as c:
        expect(mom.AlreadySubscribed, c.subscribe, "jobs")
        m = c.receive(20)
        assert m.text == "2" and m.redelivered, m
    with mom.Client("keeper") as c:
        m = c.receive(20)
        assert m.text == "3", m
        expect(mom.Timeout, c.receive, 0)
        c.destroy()
    with mom.Client("keeper") as c:
        c.subscribe("jobs")
        c.destroy()


def interrupted(call):
    """The call ends by Ctrl-C, long before its time-out."""
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    expect(KeyboardInterrupt, call)
    assert time.monotonic() - began < 10


def ctrl_c():
    """Ctrl-C ends every wait; a handler that returns ends none; wake ends a loop from another thread. The broker is stopped meanwhile."""
    c = mom.Client()
    c.subscribe("t")
    interrupted(lambda: c.receive())
    interrupted(lambda: [m for m in c])
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    began = time.monotonic()
    expect(mom.Timeout, c.receive, 0.5)
    assert 0.45 < time.monotonic() - began < 10
    signal.setitimer(signal.ITIMER_REAL, 0)
    threading.Timer(0.2, c.wake).start()
    expect(mom.Interrupted, c.receive)
    threading.Timer(0.2, c.wake).start()
    assert [m for m in c] == []
    print("stop it", flush=True)                 # the broker
    sys.stdin.readline()
    interrupted(lambda: c.publish("t", "on its way"))
    interrupted(lambda: c.flush(None))
    interrupted(lambda: c.subscribe("other"))
    interrupted(mom.Client)
    interrupted(c.close)
    assert c.closed


def threads():
    """A client a thread, 500 questions and answers; one client in two threads is told, and goes on."""
    def server(ready):
        with mom.Client() as c:
            c.subscribe("ask")
            ready.set()
            for _ in range(500):
                c.publish("told", c.receive(20).data, wait=False)
    ready = threading.Event()
    thread = threading.Thread(target=server, args=(ready,))
    thread.start()
    assert ready.wait(20)
    with mom.Client() as c:
        c.subscribe("told")
        for i in range(500):
            c.publish("ask", str(i), fast=True)
            assert c.receive(20).text == str(i)
        thread.join()
        refused = []

        def other():
            deadline = time.monotonic() + 20
            while not refused and time.monotonic() < deadline:
                try:
                    c.ack()
                    time.sleep(0.01)             # else it is always the other that is refused
                except RuntimeError as e:
                    refused.append(str(e))
            c.wake()
        second = threading.Thread(target=other)
        second.start()
        while True:
            try:
                c.receive(30)
            except RuntimeError:                 # the other was faster
                continue
            except mom.Interrupted:
                break
        second.join()
        assert refused and "one thread at a time" in refused[0]
        c.publish("told", "still here")
        assert c.receive(20).text == "still here"


def outage():
    """While the broker is away publish says Timeout, and what it sent is stored once when it is back."""
    with mom.Client(timeout=0.5) as c:
        c.subscribe("t")
        print("stop it", flush=True)
        sys.stdin.readline()
        assert "on its way" in expect(mom.Timeout, c.publish, "t", "late").text
        expect(mom.Timeout, c.flush, 0.1)
        print("start it", flush=True)
        sys.stdin.readline()
        c.flush(20)
        assert c.receive(20).text == "late"
        expect(mom.Timeout, c.receive, 0.3)


def library():
    """MOM_LIB wins, and where there is no library the error says how to get one."""
    code = "import sys; sys.path.insert(0, %r); import mom; print(mom.version())" % os.path.join(SOURCE, "src", "api")
    for path, status in (("/nowhere/libmom.so", 1), (os.path.join(SOURCE, "lib", "libmom.so.0"), 0)):
        r = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, MOM_LIB=path), capture_output=True, text=True)
        assert r.returncode == status and (status == 0 or "MOM_LIB" in r.stderr), r


def examples():
    """The examples of the documentation are true."""
    import doctest
    r = doctest.testmod(mom, extraglobs={"mom": mom}, optionflags=doctest.REPORT_NDIFF)
    assert r.failed == 0 and r.attempted >= 14, r


def event_loop():
    """asyncio waits for two clients at once, and all comes."""
    import asyncio

    async def main():
        got = []
        done = asyncio.Event()
        with mom.Client() as a, mom.Client() as b:
            for c in (a, b):
                c.subscribe("loop")

                def take(c=c):
                    try:
                        while True:
                            got.append((c, c.receive(0).text))
                    except mom.Timeout:
                        if len(got) == 600:
                            done.set()
                asyncio.get_running_loop().add_reader(c, take)
            for i in range(300):
                a.publish("loop", str(i), wait=False)
                if i % 50 == 0:
                    await asyncio.sleep(0)
            await asyncio.wait_for(done.wait(), 20)
            for c in (a, b):
                asyncio.get_running_loop().remove_reader(c)
                assert [text for who, text in got if who is c] == [str(i) for i in range(300)]
    asyncio.run(main())


def exiting():
    """A client is made while the interpreter ends, where 3.12 and later give no thread; waiting for ever is math.inf, too."""
    import atexit
    import math

    def none_left(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    def last_words():
        threading.Thread.start = none_left
        with mom.Client(timeout=math.inf) as c:
            c.subscribe("last")
            c.publish("last", "words")
            assert c.receive(math.inf).text == "words"
        print("done")
    atexit.register(last_words)
    sys.exit(0)


def warned():
    """A client that is forgotten without close is told of."""
    import gc
    import warnings
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        mom.Client()
        gc.collect()
    assert any("not closed" in str(w.message) for w in seen), seen


def groups():
    """What C members share, Python members share: each job once, back where it is not settled, settled in any order."""
    with mom.Client() as publisher, mom.Client(manual_ack=True, prefetch=3) as a:
        a.join("g", "jobs/#")
        for n in range(3):
            publisher.publish("jobs/x", str(n), key="k%d" % n)
        jobs = [a.receive(10) for _ in range(3)]
        assert [(j.text, j.group, j.tries, j.redelivered, j.key) for j in jobs] == \
            [(str(n), "g", 1, False, "k%d" % n) for n in range(3)], jobs
        a.settle(jobs[2])
        a.reject(jobs[0], never=True)
        a.reject(jobs[1])
        again = a.receive(10)
        assert (again.text, again.tries, again.redelivered, again.origin) == ("1", 2, True, jobs[1].origin), again
        try:
            a.settle(jobs[1])
            raise AssertionError("settled twice")
        except mom.InvalidArgument:
            pass
        a.leave("g")
        with mom.Client() as b:
            b.join("g")
            assert b.receive(10).text == "1"
            b.group_retry("g", jobs[0].origin)
            last = b.receive(10)
            assert (last.text, last.tries) == ("0", 1), last
            try:
                b.group_delete("g")
                raise AssertionError("it has a member")
            except mom.Busy:
                pass
            b.leave("g")
            b.group_purge("g")
            b.group_unbind("g", "jobs/#")
            b.group_delete("g")
            for call in (lambda: b.join("g"), lambda: b.group_set("g", max_tries=-1)):
                try:
                    call()
                    raise AssertionError("it has to fail")
                except (mom.NoGroup, mom.InvalidArgument):
                    pass


globals()[sys.argv[1]](*sys.argv[2:])
print("done")
