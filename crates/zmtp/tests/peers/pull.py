"""A libzmq PULL peer. Usage: pull.py MODE ADDRESS COUNT

Prints "bound ENDPOINT" first, then one line per message (its length and its beginning), and
"done" at the end; reads one line from stdin where it has to wait for the test.
"""

import sys

import zmq


def show(message):
    print(len(message), message[:20].decode(), flush=True)


mode, address, count = sys.argv[1:]
context = zmq.Context()
socket = context.socket(zmq.PULL)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, 30_000)
if mode == "heartbeat":
    socket.setsockopt(zmq.HEARTBEAT_IVL, 20)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 5_000)
if mode == "late":
    sys.stdin.readline()
socket.bind(address)
print("bound", socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0"), flush=True)
if mode == "count":
    total = 0
    for _ in range(int(count)):
        total += len(socket.recv())
    print(total, flush=True)
else:
    for _ in range(int(count)):
        show(socket.recv())
if mode == "heartbeat":
    sys.stdin.readline()
socket.close()
context.term()
print("done", flush=True)
