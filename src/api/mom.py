"""mom - publish to topics and receive from them in Python, through the mom_daemon of this machine.

Only the standard library, over libmom.so (ctypes). A broker and a daemon have to run (`mom_daemon IP PORT`); the daemon is
found as in C: the environment variable MOM_RUN, else the default run folders.

    >>> import mom
    >>> with mom.Client() as c:
    ...     c.subscribe("news")
    ...     c.publish("news", "hello")
    ...     message = c.receive(timeout=5)
    ...     print(message.topic, message.data)
    news b'hello'

Client() is anonymous: it ends with the `with` block or its process. Client("billing") is durable: it belongs to this machine and
user, keeps its subscriptions and its place, and after a restart gets again what it had not acknowledged.

Every failure is an exception, a subclass of mom.Error with .code (as in mom.h) and .text (what went wrong, and the cure).

Threads: one client is used by one thread at a time (another thread's call raises RuntimeError, nothing breaks); different clients
freely. Client.wake may be called by any thread and by signal handlers. While a call waits, other threads run, and Ctrl-C
(KeyboardInterrupt) or a signal handler that raises ends the wait within a moment. Forked children make clients of their own.

The library is looked for in this order: the environment variable MOM_LIB (a file), the source tree that this file lies in (../../lib),
the place where `make install` put it, the linker's search path.
"""
from __future__ import annotations

import ctypes
import datetime
import math
import os
import threading
import time
import warnings
from typing import Iterable, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

__all__ = ["Client", "Message", "version", "Error", "InvalidArgument", "BadTopic", "TooBig", "NoDaemon", "Timeout", "AlreadySubscribed",
           "NotSubscribed", "Full", "DiskFailed", "BadHandle", "Forked", "Busy", "LimitReached", "BadRing", "Interrupted", "Lost", "NoSubscriber",
           "NoResource", "NotSent", "NoGroup"]

Payload = Union[bytes, bytearray, memoryview, str]

_INSTALLED_LIBRARY = "@LIBRARY@"        # from this file's folder; filled in by make install
_SLICE_MS = 200                         # the longest that a call is deaf for signals that another thread took


# ---- failures ----

class Error(Exception):
    """A call failed. `code`: the number of mom.h, `text`: what exactly went wrong, and the cure.

    >>> try:
    ...     with mom.Client() as c:
    ...         c.publish("no spaces allowed", "x")
    ... except mom.BadTopic as e:
    ...     print(e.code, e.text)
    -2 the topic has a space; use _ or -
    """
    code: int = 0

    def __init__(self, text: str, code: Optional[int] = None) -> None:
        super().__init__(text)
        self.text = text
        if code is not None:
            self.code = code


class InvalidArgument(Error):
    """An argument is wrong."""
    code = -1


class BadTopic(Error):
    """Not a valid topic."""
    code = -2


class TooBig(Error):
    """More payload than broker and daemon take (--max-message)."""
    code = -3


class NoDaemon(Error):
    """No mom_daemon runs here."""
    code = -4


class Timeout(Error, TimeoutError):
    """Not in time. receive: no message. publish and subscribe: the request stays on its way (do not repeat it); flush tells what became of it."""
    code = -5


class AlreadySubscribed(Error):
    """Already subscribed: nothing changed."""
    code = -6


class NotSubscribed(Error):
    """Not subscribed to this topic."""
    code = -7


class Full(Error):
    """publish: the broker's store, its disk, or this topic's share of it, is full. receive, once: more had come than may wait for this client; its
    subscriptions have ended, subscribe anew."""
    code = -8


class DiskFailed(Error):
    """A disk failed; the text says which."""
    code = -9


class BadHandle(Error):
    """The client is closed, or the broker forgot it."""
    code = -10


class Forked(Error):
    """The client belongs to the parent process: make one of your own."""
    code = -11


class Busy(Error):
    """A living process has this durable name open."""
    code = -12


class LimitReached(Error):
    """A limit of the kernel or the daemon, named in the text."""
    code = -13


class BadRing(Error):
    """This client's shared memory holds garbage: destroy it and make a new one."""
    code = -14


class Interrupted(Error):
    """Client.wake was called."""
    code = -15


class Lost(Error):
    """Told once after the broker's power failed: fast messages that are gone; the text says which."""
    code = -16


class NoSubscriber(Error):
    """publish(need_subscriber=True): nobody subscribes to the topic itself (patterns do not count); the message is not
    stored."""
    code = -17


class NoResource(Error):
    """Of mom_resource.h alone, which this module does not offer: no semaphore or variable of this name."""
    code = -18


class NotSent(Error, TimeoutError):
    """Not in time, and not sent: what waits for the broker leaves no room for it. Nothing of it is on its way: call again."""
    code = -19


class NoGroup(Error):
    """There is no group of this name."""
    code = -20


_ERRORS = {e.code: e for e in (InvalidArgument, BadTopic, TooBig, NoDaemon, Timeout, AlreadySubscribed, NotSubscribed, Full, DiskFailed,
                               BadHandle, Forked, Busy, LimitReached, BadRing, Interrupted, Lost, NoSubscriber,
                               NoResource, NotSent, NoGroup)}
_FAST, _ASYNC, _NEED_SUBSCRIBER, _NO_ECHO, _REDELIVERED, _GAP, _HAS_PROPERTIES, _GROUPED = 1, 2, 4, 1, 1, 2, 4, 8
_TEMPORARY, _ORDERED, _EXCLUSIVE, _NEVER = 1, 2, 4, -1
_KEY, _REPLY_TO, _CORRELATION, _CONTENT_TYPE = 3, 5, 6, 7
_OPT_TIMEOUT_MS, _OPT_MANUAL_ACK, _OPT_WINDOW, _OPT_PREFETCH = 1, 2, 3, 4


# ---- the library ----

class _RawMessage(ctypes.Structure):
    _fields_ = [("topic", ctypes.c_char_p), ("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("publisher", ctypes.c_uint64),
                ("offset", ctypes.c_uint64), ("time_us", ctypes.c_int64), ("flags", ctypes.c_uint)]


class _RawHeader(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class _RawProperties(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("ttl_ms", ctypes.c_int64), ("key", ctypes.c_char_p), ("reply_to", ctypes.c_char_p),
                ("content_type", ctypes.c_char_p), ("correlation", ctypes.c_char_p), ("correlation_len", ctypes.c_size_t),
                ("headers", ctypes.POINTER(_RawHeader)), ("header_count", ctypes.c_size_t)]


class _RawGroup(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("kind", ctypes.c_uint), ("max_tries", ctypes.c_int64), ("hand_timeout_ms", ctypes.c_int64),
                ("max_hold_ms", ctypes.c_int64)]


def _candidates() -> Iterator[str]:
    if os.environ.get("MOM_LIB"):
        yield os.environ["MOM_LIB"]
        return
    here = os.path.dirname(os.path.abspath(__file__))
    if here.endswith(os.path.join("src", "api")):
        yield os.path.join(here, "..", "..", "lib", "libmom.so")
    if not _INSTALLED_LIBRARY.startswith("@"):
        yield os.path.normpath(os.path.join(here, _INSTALLED_LIBRARY))
    yield "libmom.so.0"


def _load() -> ctypes.CDLL:
    tried = []
    for path in _candidates():
        try:
            lib = ctypes.CDLL(path)
            break
        except OSError as e:
            tried.append(str(e))
    else:
        raise ImportError("libmom.so is not found (%s): run `make` or `make install`, or name the file in MOM_LIB" % "; ".join(tried))
    number, text, size, flags = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint
    for name, result, arguments in (
            ("mom_create", number, []), ("mom_open", number, [text]), ("mom_close", number, [number]), ("mom_destroy", number, [number]),
            ("mom_publish_with", number, [number, text, ctypes.c_char_p, size, flags, ctypes.POINTER(_RawProperties)]),
            ("mom_property", ctypes.c_void_p, [ctypes.POINTER(_RawMessage), number, ctypes.POINTER(size)]),
            ("mom_header_at", number, [ctypes.POINTER(_RawMessage), size, ctypes.POINTER(_RawHeader)]),
            ("mom_expires", ctypes.c_int64, [ctypes.POINTER(_RawMessage)]), ("mom_flush", number, [number, number]),
            ("mom_subscribe", number, [number, text, flags]), ("mom_unsubscribe", number, [number, text]),
            ("mom_receive", number, [number, ctypes.POINTER(_RawMessage), number]), ("mom_ack", number, [number]),
            ("mom_join", number, [number, text, text, flags]), ("mom_leave", number, [number, text]),
            ("mom_settle", number, [number, ctypes.POINTER(_RawMessage)]),
            ("mom_reject", number, [number, ctypes.POINTER(_RawMessage), ctypes.c_long]),
            ("mom_group_name", text, [ctypes.POINTER(_RawMessage)]), ("mom_tries", flags, [ctypes.POINTER(_RawMessage)]),
            ("mom_origin", ctypes.c_uint64, [ctypes.POINTER(_RawMessage)]),
            ("mom_group_set", number, [number, text, ctypes.POINTER(_RawGroup)]),
            ("mom_group_bind", number, [number, text, text]), ("mom_group_unbind", number, [number, text, text]),
            ("mom_group_delete", number, [number, text]), ("mom_group_retry", number, [number, text, ctypes.c_uint64]),
            ("mom_group_purge", number, [number, text, ctypes.c_uint64]),
            ("mom_will_with", number, [number, text, ctypes.c_char_p, size, ctypes.POINTER(_RawProperties)]),
            ("mom_fd", number, [number]),
            ("mom_wake", None, [number]), ("mom_set_option", number, [number, number, ctypes.c_long]),
            ("mom_global_id", ctypes.c_uint64, [number]), ("mom_error_text", text, [number]), ("mom_version", text, [])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


def version() -> str:
    """The version of libmom.

    >>> mom.version().count(".")
    2
    """
    return _lib.mom_version().decode()


def _fail(code: int, text: Union[str, bytes]) -> Error:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _ERRORS[code](text) if code in _ERRORS else Error(text, code)


def _c_text(value: str, what: str) -> bytes:
    coded = value.encode("utf-8", "surrogateescape")
    if b"\0" in coded:
        raise (BadTopic if what == "topic" else InvalidArgument)("the %s has a zero byte" % what)
    return coded


def _bytes(data: Payload) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("data is bytes, bytearray, memoryview or str, not " + type(data).__name__)


def _wait_ms(deadline: Optional[float]) -> int:
    """How long the next slice may be: None waits for ever, a deadline that is over gives 0."""
    if deadline is None:
        return _SLICE_MS
    return max(0, min(_SLICE_MS, int((deadline - time.monotonic()) * 1000) + 1 if deadline > time.monotonic() else 0))


def _deadline(timeout: Optional[float]) -> Optional[float]:
    if timeout is None or timeout == math.inf:
        return None
    if not timeout >= 0:
        raise InvalidArgument("a timeout is seconds, 0 or more, or None: for ever")
    return time.monotonic() + timeout


# ---- messages and clients ----

class Message(NamedTuple):
    """What receive returns.

    >>> with mom.Client() as c:
    ...     c.subscribe("a/b")
    ...     c.publish("a/b", b"\\x00\\x01")
    ...     m = c.receive(5)
    >>> m.data, m.redelivered, m.publisher == c.global_id, m.when.tzinfo is not None
    (b'\\x00\\x01', False, True, True)
    """
    topic: str
    data: bytes
    publisher: int          #: global id of the client that published it
    offset: int             #: place in the topic's log: grows, has gaps, never comes again
    time: float             #: when the broker stored it: seconds since 1970 (UTC)
    redelivered: bool       #: may have been handed out before, to a process that ended without acknowledging it
    gap: bool               #: no message: messages are missing here; topic is empty, data says how many and why
    key: Optional[str] = None                   #: these as its publisher gave them
    reply_to: Optional[str] = None
    correlation: Optional[bytes] = None
    content_type: Optional[str] = None
    headers: tuple = ()                         #: pairs of name and value; several may have one name
    expires: Optional[float] = None             #: when its life ends, by the broker's clock: seconds since 1970
    group: Optional[str] = None                 #: the group that it is of: see Client.join
    tries: int = 0                              #: how often it was handed out, with this time; 0: it is of no group
    origin: int = 0                             #: of a group: the message's own offset, the same at each try
    raw_flags: int = 0                          #: of the library: settle needs them

    @property
    def text(self) -> str:
        """The payload as UTF-8 text; bytes that are none become U+FFFD."""
        return self.data.decode("utf-8", "replace")

    @property
    def when(self) -> datetime.datetime:
        """`time` as an aware datetime in UTC."""
        return datetime.datetime.fromtimestamp(self.time, datetime.timezone.utc)


Headers = Union[Mapping[str, str], Iterable[Tuple[str, str]]]


def _properties(ttl: Optional[float], key: Optional[str], reply_to: Optional[str], correlation: Optional[Payload],
                content_type: Optional[str], headers: Optional[Headers]) -> Optional[_RawProperties]:
    """None: the message has none."""
    if all(x is None for x in (ttl, key, reply_to, correlation, content_type, headers)):
        return None
    p = _RawProperties(size=ctypes.sizeof(_RawProperties))
    if ttl is not None:
        p.ttl_ms = int(ttl * 1000) if 0.001 <= ttl < 1e12 else -1        # -1: the library says what is wrong
    for name, value in (("key", key), ("reply_to", reply_to), ("content_type", content_type)):
        if value is not None:
            setattr(p, name, _c_text(value, name))
    if correlation is not None:
        raw = _bytes(correlation)
        p.correlation, p.correlation_len = raw, len(raw)
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    if pairs:
        array = (_RawHeader * len(pairs))(*((_c_text(n, "header"), _c_text(v, "header")) for n, v in pairs))
        p.headers, p.header_count = array, len(pairs)
    return p


def _property(raw: _RawMessage, name: int) -> Optional[bytes]:
    size = ctypes.c_size_t()
    at = _lib.mom_property(raw, name, size)
    return None if at is None else ctypes.string_at(at, size.value)


def _text_property(raw: _RawMessage, name: int) -> Optional[str]:
    value = _property(raw, name)
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _properties_of(raw: _RawMessage) -> dict:
    """What a received message carries, as arguments of Message."""
    if not raw.flags & _HAS_PROPERTIES:
        return {}
    headers, h = [], _RawHeader()
    while _lib.mom_header_at(raw, len(headers), h):
        headers.append((h.name.decode("utf-8", "surrogateescape"), h.value.decode("utf-8", "surrogateescape")))
    return {"key": _text_property(raw, _KEY), "reply_to": _text_property(raw, _REPLY_TO),
            "correlation": _property(raw, _CORRELATION), "content_type": _text_property(raw, _CONTENT_TYPE),
            "headers": tuple(headers), "expires": _lib.mom_expires(raw) / 1000 or None, **_group_of(raw)}


def _group_of(raw: _RawMessage) -> dict:
    if not raw.flags & _GROUPED:
        return {}
    return {"group": _lib.mom_group_name(raw).decode(), "tries": _lib.mom_tries(raw), "origin": _lib.mom_origin(raw), "raw_flags": raw.flags}


def _kind(temporary: bool, ordered: bool, exclusive: bool) -> int:
    return (_TEMPORARY if temporary else 0) | (_ORDERED if ordered else 0) | (_EXCLUSIVE if exclusive else 0)


def _setting(value: Optional[float], unit: int) -> int:
    return -1 if value is None else int(value * unit) if 0 <= value < 1e12 else -2       # -2: the library says what is wrong


class Client:
    """A client of this machine's daemon: anonymous, or durable with a name (1 to 64 of A-Z a-z 0-9 . _ -).

    timeout     seconds that publish, subscribe, unsubscribe, will, flush and close wait for the broker; None: for ever
    manual_ack  True: only ack() acknowledges. False: asking for the next message acknowledges those before
    window      bytes of publishes with wait=False that may be unacknowledged (4096 or more)
    prefetch    messages of a group that may be with this client unsettled (1 to 10000): see join

    Raises NoDaemon (at once), Timeout (the daemon did not reach its broker in 30 s), Busy, LimitReached, InvalidArgument.

    >>> with mom.Client("doc-example") as c:
    ...     c.subscribe("news", exist_ok=True)
    ...     c.destroy()                     # else the name would stay, with its subscriptions
    """

    def __init__(self, name: Optional[str] = None, *, timeout: Optional[float] = 30.0, manual_ack: bool = False,
                 window: Optional[int] = None, prefetch: Optional[int] = None) -> None:
        self._id = -1
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._woken = False
        self._manual_ack = False
        self.name = name
        self.timeout = timeout
        _deadline(timeout)
        self._id = self._begin(None if name is None else _c_text(name, "name"))
        try:
            self._global_id: int = _lib.mom_global_id(self._id)
            self._call(_lib.mom_set_option, _OPT_TIMEOUT_MS, _SLICE_MS)
            if manual_ack:
                self.manual_ack = True
            if window is not None:
                self._call(_lib.mom_set_option, _OPT_WINDOW, window)
            if prefetch is not None:
                self._call(_lib.mom_set_option, _OPT_PREFETCH, prefetch)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _begin(name: Optional[bytes]) -> int:
        """In a thread of its own, where one can be had: the library may wait for 30 s, and Ctrl-C shall not."""
        result: list = []
        abandoned = threading.Event()

        def run() -> None:
            number = _lib.mom_create() if name is None else _lib.mom_open(name)
            result.append((number, _lib.mom_error_text(-1) if number < 0 else b""))
            if number >= 0 and abandoned.is_set():
                _lib.mom_close(number)

        thread = threading.Thread(target=run, daemon=True, name="mom-begin")
        try:
            thread.start()
        except RuntimeError:            # none can be had: at the interpreter's exit, or at a limit
            run()
        else:
            try:
                thread.join()
            except BaseException:
                abandoned.set()
                raise
        number, text = result[0]
        if number < 0:
            raise _fail(number, text)
        return number

    # ---- calls ----

    def _call(self, function, *arguments) -> None:
        """One call of the library; its failure as an exception."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this client is in use by another thread: one thread at a time; see wake()")
        try:
            if self._id < 0:
                raise BadHandle("the client is closed")
            code = function(self._id, *arguments)
            text = _lib.mom_error_text(self._id) if code < 0 else b""
        finally:
            self._lock.release()
        if code < 0:
            raise _fail(code, text)

    def _request(self, function, *arguments) -> None:
        """A call that waits for the broker. It is made with a short time-out; the rest is waited for where Ctrl-C is heard."""
        deadline = _deadline(self.timeout)
        while True:
            try:
                return self._call(function, *arguments)
            except NotSent:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
            except Timeout as e:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                try:
                    return self._flush(deadline)
                except Timeout:
                    raise e from None

    def _flush(self, deadline: Optional[float]) -> None:
        while True:
            try:
                return self._call(_lib.mom_flush, _wait_ms(deadline))
            except Timeout:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
            except Interrupted:                  # a signal, whose handler has run by now, or wake()
                if self._woken:
                    self._woken = False
                    raise

    def subscribe(self, topic: str, echo: bool = True, *, exist_ok: bool = False) -> None:
        """From its return on, everything that is acknowledged to any publisher of the topic will be received; echo=False leaves
        out this client's own messages. The topic may be a pattern: + or * stands for one level, # for any number of
        levels, > at the end for one or more; mom_subscribe(3) has a table. Raises AlreadySubscribed (exist_ok=True: not),
        BadTopic, Timeout.

        >>> with mom.Client() as c:
        ...     c.subscribe("plant/boiler")
        ...     c.subscribe("plant/+/temp")
        """
        try:
            self._request(_lib.mom_subscribe, _c_text(topic, "topic"), 0 if echo else _NO_ECHO)
        except AlreadySubscribed:
            if not exist_ok:
                raise

    def unsubscribe(self, topic: str) -> None:
        """After its return nothing of the topic, or of the pattern, that is stored from then on is received. What still waits is
        dropped, unless this client has ever subscribed to a pattern. Raises NotSubscribed, BadTopic, Timeout.

        >>> with mom.Client() as c:
        ...     c.subscribe("plant/boiler")
        ...     c.unsubscribe("plant/boiler")
        """
        self._request(_lib.mom_unsubscribe, _c_text(topic, "topic"))

    # ---- groups ----

    def join(self, group: str, pattern: Optional[str] = None, *, temporary: bool = False, ordered: bool = False,
             exclusive: bool = False) -> None:
        """Become a member of a group, a queue whose messages its members share, and bind it to a topic or a pattern; a group that is not there
        is made, if there is a pattern. Each message is handed to one member. It is settled when the next one is asked for (unless
        manual_ack), by settle, ack or close; what is not comes back when this client leaves, closes or dies. temporary, ordered, exclusive:
        the kind of a new group; without any a group is taken as it is. mom_join(3) says more. Raises NoGroup, AlreadySubscribed (the group
        is of another kind), BadTopic, LimitReached, Timeout.

        >>> with mom.Client() as worker:
        ...     worker.join("doc-billing", "orders/#", temporary=True)
        ...     worker.publish("orders/7", "a book")
        ...     job = worker.receive(5)
        ...     print(job.text, job.group, job.tries)
        a book doc-billing 1
        """
        self._request(_lib.mom_join, _c_text(group, "group"), None if pattern is None else _c_text(pattern, "topic"),
                      _kind(temporary, ordered, exclusive))

    def leave(self, group: str) -> None:
        """End a membership: what is not settled comes back to the group. Raises NotSubscribed (not a member), Timeout."""
        self._request(_lib.mom_leave, _c_text(group, "group"))

    def _raw_of(self, message: Message) -> _RawMessage:
        return _RawMessage(offset=message.offset, flags=message.raw_flags)

    def settle(self, message: Message) -> None:
        """Say that a message of a group is done, in any order. It does not wait; flush does.

        >>> with mom.Client(manual_ack=True, prefetch=2) as c:
        ...     c.join("doc-settle", "jobs", temporary=True)
        ...     c.publish("jobs", "1")
        ...     c.publish("jobs", "2")
        ...     first, second = c.receive(5), c.receive(5)
        ...     c.settle(second)
        ...     c.reject(first, never=True)
        """
        self._call(_lib.mom_settle, self._raw_of(message))

    def reject(self, message: Message, delay: float = 0.0, *, never: bool = False) -> None:
        """Give a message of a group back: it is handed out once more, not before so many seconds; never=True: it is dead."""
        self._call(_lib.mom_reject, self._raw_of(message), _NEVER if never else _setting(delay, 1000))

    def group_set(self, group: str, *, temporary: bool = False, ordered: bool = False, exclusive: bool = False,
                  max_tries: Optional[int] = None, hand_timeout: Optional[float] = None, max_hold: Optional[float] = None) -> None:
        """Make a group, or change its settings; times in seconds, None: as it is. mom_group_set(3) says what they mean.

        >>> with mom.Client() as c:
        ...     c.group_set("doc-group", max_tries=5)
        ...     c.group_bind("doc-group", "jobs/#")
        ...     c.group_delete("doc-group")
        """
        settings = _RawGroup(ctypes.sizeof(_RawGroup), _kind(temporary, ordered, exclusive), _setting(max_tries, 1),
                             _setting(hand_timeout, 1000), _setting(max_hold, 1000))
        self._request(_lib.mom_group_set, _c_text(group, "group"), settings)

    def group_bind(self, group: str, pattern: str) -> None:
        """The group collects what is published to the topic, or to topics that the pattern matches, from then on."""
        self._request(_lib.mom_group_bind, _c_text(group, "group"), _c_text(pattern, "topic"))

    def group_unbind(self, group: str, pattern: str) -> None:
        """The end of group_bind; what of it nobody has had yet is dropped."""
        self._request(_lib.mom_group_unbind, _c_text(group, "group"), _c_text(pattern, "topic"))

    def group_delete(self, group: str) -> None:
        """Delete a group with all that waits in it. Raises Busy (it has members), NoGroup."""
        self._request(_lib.mom_group_delete, _c_text(group, "group"))

    def group_retry(self, group: str, origin: int = 0) -> None:
        """Hand the dead message of that origin out again; 0: all."""
        self._request(_lib.mom_group_retry, _c_text(group, "group"), origin)

    def group_purge(self, group: str, origin: int = 0) -> None:
        """Forget the dead message of that origin; 0: all."""
        self._request(_lib.mom_group_purge, _c_text(group, "group"), origin)

    def publish(self, topic: str, data: Payload, fast: bool = False, wait: bool = True, *, need_subscriber: bool = False,
                ttl: Optional[float] = None, key: Optional[str] = None, reply_to: Optional[str] = None,
                correlation: Optional[Payload] = None, content_type: Optional[str] = None,
                headers: Optional[Headers] = None) -> None:
        """Publish bytes, or a text as UTF-8. Returns when the message is on the broker's disk.

        fast=True   when the broker has written it: it survives the death of any process, not a power cut
        wait=False  at once (it waits only while the window is full); flush tells what became of it
        need_subscriber=True  NoSubscriber where nobody subscribes to the topic now; not together with wait=False
        ttl         nobody gets the message once it is so many seconds old, by the broker's clock
        key, reply_to (a topic), correlation, content_type, headers (a dict, or pairs)  the message carries them

        Raises BadTopic, TooBig, Full, NoSubscriber, Lost, Timeout (it stays on its way), NotSent (nothing is on its way).

        >>> with mom.Client() as c:
        ...     for i in range(1000):
        ...         c.publish("numbers", str(i), wait=False)
        ...     c.flush()
        ...     c.subscribe("question")
        ...     c.publish("question", "6 * 7", ttl=60, reply_to="answer", headers={"unit": "1"})
        ...     m = c.receive(5)
        ...     print(m.text, m.reply_to, m.headers, m.expires > m.time)
        6 * 7 answer (('unit', '1'),) True
        """
        raw = _bytes(data)
        properties = _properties(ttl, key, reply_to, correlation, content_type, headers)
        flags = (_FAST if fast else 0) | (0 if wait else _ASYNC) | (_NEED_SUBSCRIBER if need_subscriber else 0)
        self._request(_lib.mom_publish_with, _c_text(topic, "topic"), raw, len(raw), flags, properties)

    def will(self, topic: Optional[str], data: Payload = b"", *, ttl: Optional[float] = None, key: Optional[str] = None,
             reply_to: Optional[str] = None, correlation: Optional[Payload] = None, content_type: Optional[str] = None,
             headers: Optional[Headers] = None) -> None:
        """A message that the broker publishes once this client is destroyed or its process has ended in whatever way, after all else that
        it published. A second call replaces it, topic None withdraws it; close of a durable client withdraws it, too. ttl and the others:
        as for publish; ttl counts from when the broker publishes it.

        >>> with mom.Client() as watcher:
        ...     watcher.subscribe("state")
        ...     with mom.Client() as c:
        ...         c.will("state", "gone")
        ...     print(watcher.receive(5).text)
        gone
        """
        raw = _bytes(data)
        properties = _properties(ttl, key, reply_to, correlation, content_type, headers)
        self._request(_lib.mom_will_with, None if topic is None else _c_text(topic, "topic"), raw, len(raw), properties)

    def flush(self, timeout: Optional[float] = -1.0) -> None:
        """Wait until everything that this client asked for is acknowledged; seconds, None: for ever, without: the client's timeout. Raises
        the first failure since the last flush (.text says how many failed), Timeout while some are on their way, Interrupted.

        >>> with mom.Client() as c:
        ...     c.publish("news", "x", wait=False)
        ...     c.flush(10)
        """
        self._flush(_deadline(self.timeout if timeout == -1.0 else timeout))

    def receive(self, timeout: Optional[float] = None) -> Message:
        """The next message. timeout in seconds: None waits for ever, 0 only looks. Works while the broker is away. Asking for the next
        message acknowledges those before, unless manual_ack. Raises Timeout (none came), Interrupted (wake), Full, BadHandle.

        >>> with mom.Client() as c:
        ...     try:
        ...         c.receive(timeout=0)
        ...     except mom.Timeout:
        ...         print("nothing")
        nothing
        """
        deadline = _deadline(timeout)
        while True:
            try:
                return self._receive(_wait_ms(deadline))
            except Timeout:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
            except Interrupted:
                if self._woken:
                    self._woken = False
                    raise

    def _receive(self, wait_ms: int) -> Message:
        taken = []

        def receive(number: int, wait: int) -> int:
            raw = _RawMessage()
            code = _lib.mom_receive(number, ctypes.byref(raw), wait)
            if code == 0:                            # copied before another call may end its life
                taken.append(Message(raw.topic.decode("utf-8", "surrogateescape"), ctypes.string_at(raw.data, raw.len) if raw.len else b"",
                                     raw.publisher, raw.offset, raw.time_us / 1e6, bool(raw.flags & _REDELIVERED), bool(raw.flags & _GAP),
                                     **_properties_of(raw)))
            return code
        self._call(receive, wait_ms)
        return taken[0]

    def __iter__(self) -> Iterator[Message]:
        """Messages as they come, for ever; wake() ends the loop.

        >>> with mom.Client() as c:
        ...     c.subscribe("count")
        ...     for n in range(3):
        ...         c.publish("count", str(n))
        ...     for message in c:
        ...         print(message.text)
        ...         if message.text == "2":
        ...             c.wake()
        0
        1
        2
        """
        while True:
            if self._woken:                              # however much waits
                self._woken = False
                return
            try:
                message = self.receive()
            except Interrupted:
                return
            yield message

    def ack(self) -> None:
        """Acknowledge all messages handed out so far.

        >>> with mom.Client(manual_ack=True) as c:
        ...     c.subscribe("jobs")
        ...     c.publish("jobs", "1")
        ...     job = c.receive(5)
        ...     c.ack()                         # done: it will not come again
        """
        self._call(_lib.mom_ack)

    def wake(self) -> None:
        """End a receive, flush or `for` loop of this client that waits (or the next one that would): it raises Interrupted, the loop just
        ends. For any thread and for signal handlers."""
        self._woken = True
        number = self._id
        if number >= 0:
            _lib.mom_wake(number)

    def fileno(self) -> int:
        """A descriptor for event loops (select, selectors, asyncio): readable while a message waits, until receive(0) has raised Timeout.
        Only wait for it; it closes with the client.

        >>> import selectors
        >>> with mom.Client() as c, selectors.DefaultSelector() as loop:
        ...     c.subscribe("loop")
        ...     key = loop.register(c, selectors.EVENT_READ)
        ...     c.publish("loop", "hello")
        ...     seen = 0
        ...     while seen < 1 and loop.select(5):
        ...         try:
        ...             print(c.receive(0).text)
        ...             seen += 1
        ...         except mom.Timeout:
        ...             pass                # readable with nothing there: wait on
        hello
        """
        taken = []

        def descriptor(number: int) -> int:
            taken.append(_lib.mom_fd(number))
            return min(taken[0], 0)
        self._call(descriptor)
        return taken[0]

    @property
    def manual_ack(self) -> bool:
        """True: only ack() acknowledges. May be set at any time."""
        return self._manual_ack

    @manual_ack.setter
    def manual_ack(self, on: bool) -> None:
        self._call(_lib.mom_set_option, _OPT_MANUAL_ACK, int(bool(on)))
        self._manual_ack = bool(on)

    @property
    def global_id(self) -> int:
        """64 bits that no other client of this broker has or will have; messages carry it as `publisher`."""
        return self._global_id

    @property
    def closed(self) -> bool:
        return self._id < 0

    # ---- the end ----

    def _end(self, function) -> None:
        if self._id < 0:
            return
        failure: Optional[Error] = None
        try:
            self._flush(_deadline(self.timeout))
        except Interrupted:
            pass
        except Forked:
            self._id = -1
            return
        except Error as e:
            failure = e
        except KeyboardInterrupt:                        # again Ctrl-C: do not wait; what is on its way goes on
            self._call(_lib.mom_set_option, _OPT_TIMEOUT_MS, 0)
            try:
                self._call(lambda number: self._leave(function, number))
            except Error:
                pass
            raise
        try:
            if not isinstance(failure, Timeout):         # else the broker is away, and the request goes on its way all the same
                self._call(_lib.mom_set_option, _OPT_TIMEOUT_MS, 5000)
            self._call(lambda number: self._leave(function, number))
        except Error as e:
            failure = failure or e
        if failure:
            raise failure

    def _leave(self, function, number: int) -> int:
        self._id = -1                                    # the handle is gone whatever it returns
        return function(number)

    def close(self) -> None:
        """Flush, acknowledge what was handed out (unless manual_ack) and give the client back. A durable one keeps its subscriptions and
        its place, an anonymous one is destroyed. The client is closed whatever is raised: the first failure since the last flush, or
        Timeout. Closing twice does nothing."""
        self._end(_lib.mom_close)

    def destroy(self) -> None:
        """Like close, but the broker forgets the client with its subscriptions, a durable one too."""
        self._end(_lib.mom_destroy)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind, value, trace) -> None:
        try:
            self.close()
        except Error:
            if kind is None:                             # else the first failure is the one to tell
                raise

    def __del__(self) -> None:
        if getattr(self, "_id", -1) >= 0 and self._pid == os.getpid():
            warnings.warn("%r was not closed: use `with`, close() or destroy()" % self, ResourceWarning, source=self)

    def __repr__(self) -> str:
        return "<mom.Client %s%016x%s>" % (self.name + " " if self.name else "", getattr(self, "_global_id", 0), " closed" if self.closed else "")

