"""Connects and prints the outcome. usage: blocking.py HOST PORT [mapped]"""
import errno
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
mapped = "mapped" in sys.argv
client = socket.socket(socket.AF_INET6 if mapped else socket.AF_INET)
code = client.connect_ex(("::ffff:" + host if mapped else host, port))
print("connect", errno.errorcode.get(code, code))
if code == 0:
    print("again", errno.errorcode.get(client.connect_ex((host if not mapped else "::ffff:" + host, port))))
    print("peer", client.getpeername()[:2] == (("::ffff:" + host if mapped else host), port))
    client.sendall(b"ping")
    client.shutdown(socket.SHUT_WR)
    received = b""
    while data := client.recv(100):
        received += data
    print(received.decode())
