"""A libzmq PUSH peer. Usage: push.py MODE ADDRESS...

Prints one line when it is done; reads one line from stdin where it has to wait for the test.
"""

import sys

import zmq

LONG = 300_000


def push(context, address, linger_ms=10_000):
    socket = context.socket(zmq.PUSH)
    # The options of a Habitat Supervisor, but for more patience.
    socket.setsockopt(zmq.LINGER, linger_ms)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.SNDTIMEO, 30_000)
    socket.connect(address)
    return socket


def burst(context, address, count):
    """Messages of many sizes over one connection, in order."""
    socket = push(context, address)
    for index in range(int(count)):
        size = LONG if index % 100 == 99 else index % 700
        socket.send(b"%d:" % index + b"x" * size)
    socket.close()


def flood(context, address, count, size):
    """Messages of one size, as fast as possible."""
    socket = push(context, address)
    message = b"x" * int(size)
    for _ in range(int(count)):
        socket.send(message)
    socket.close()


def short(context, address, count):
    """As many connections as messages."""
    for index in range(int(count)):
        socket = push(context, address)
        socket.send(b"%d" % index)
        socket.close()


def restart(context, address):
    """One socket throughout, while the listener goes away and comes back."""
    socket = push(context, address)
    socket.send(b"before")
    print("sent", flush=True)
    sys.stdin.readline()
    socket.send(b"after")
    socket.close()


def odd(context, address):
    """A message of several frames, heartbeats, an identity, an empty message."""
    socket = context.socket(zmq.PUSH)
    socket.setsockopt(zmq.LINGER, 10_000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 20)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 5_000)
    socket.setsockopt(zmq.IDENTITY, b"someone")
    socket.connect(address)
    socket.send_multipart([b"a", b"b" * 70_000, b""])
    socket.send(b"")
    print("sent", flush=True)
    sys.stdin.readline()  # heartbeats go on meanwhile
    socket.send(b"end")
    socket.close()


def wrong(context, address):
    """A SUB socket, which must not be let in."""
    socket = context.socket(zmq.SUB)
    monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    socket.connect(address)
    monitor.recv_multipart()
    socket.close(0)


mode, *arguments = sys.argv[1:]
context = zmq.Context()
globals()[mode](context, *arguments)
context.term()
print("done", flush=True)
