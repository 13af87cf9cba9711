"""Connects without blocking and prints everything a program can see of the outcome.

usage: nonblocking.py HOST PORT ORDER [early]
ORDER: letters, each one look at the socket: e SO_ERROR, c connect again, r recv, p getpeername.
"""
import errno
import select
import socket
import sys

host, port, order = sys.argv[1], int(sys.argv[2]), sys.argv[3]
address = (host, port)


def name(code):
    return errno.errorcode.get(code, code)


def attempt(call, *args):
    try:
        return call(*args)
    except OSError as error:
        return name(error.errno)


client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
client.setblocking(False)
interest = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
poll = select.epoll()
if "early" in sys.argv:
    poll.register(client, interest)
started = client.connect_ex(address)
print("connect", name(started) if started else 0)
if "early" not in sys.argv:
    poll.register(client, interest)
# A failure may show as an error first and as everything else right after.
events = [mask for _, mask in poll.poll(20)]
print("events", ["error" if mask & select.EPOLLERR else hex(mask) for mask in events])
for look in order:
    if look == "e":
        print("SO_ERROR", name(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
    elif look == "c":
        print("connect", name(client.connect_ex(address)))
    elif look == "r":
        print("recv", attempt(client.recv, 10))
    elif look == "p":
        peer = attempt(client.getpeername)
        print("peer", "right" if peer == client_peer else peer) if (
            client_peer := (address if ":" not in host else (*address, 0, 0))
        ) else None
