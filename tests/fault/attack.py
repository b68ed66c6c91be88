# SPDX-License-Identifier: Apache-2.0
"""Attacks on a listener, in a process of their own: attack.py KIND PORT AMOUNT. Says "standing" when all is there,
and "done N" at the end; SIGTERM ends it sooner."""
import asyncio
import os
import random
import signal
import sys


class Attacker(asyncio.Protocol):
    def __init__(self):
        self.ended = asyncio.get_running_loop().create_future()
        self.refusal = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.refusal += data[:64]

    def connection_lost(self, _error):
        if not self.ended.done():
            self.ended.set_result(None)


async def connect(port):
    _, attacker = await asyncio.get_running_loop().create_connection(Attacker, "127.0.0.1", port)
    return attacker


async def in_parallel(count, work):
    await asyncio.gather(*(work(number) for number in range(count)))


async def noise(port, amount):
    """`amount` random bytes, over as many connections as the server cares to end."""
    sent = 0

    async def one(number):
        nonlocal sent
        choice = random.Random(number)
        while sent < amount:
            attacker = await connect(port)
            for _ in range(choice.randrange(1, 8)):
                data = choice.randbytes(choice.choice([1, 100, 5000, 60000]))
                if attacker.transport.is_closing():
                    break
                attacker.transport.write(data)
                sent += len(data)
                await asyncio.sleep(0.001)
            attacker.transport.abort()

    await in_parallel(32, one)
    return sent


async def slow_loris(port, amount):
    """`amount` connections, each with a head that gets a byte now and then and never ends."""
    attackers = []

    async def some(number):
        for _ in range(amount // 20):
            attacker = await connect(port)
            attacker.transport.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            attackers.append(attacker)

    await in_parallel(20, some)
    print("standing", flush=True)
    while any(not a.ended.done() for a in attackers):
        for attacker in attackers:
            if not attacker.ended.done():
                attacker.transport.write(b"a")
        await asyncio.sleep(0.5)
    return sum(a.refusal.startswith(b"HTTP/1.1 408") for a in attackers)


BOMBS = [
    b"GET / HTTP/1.1\r\n" + b"X-Bomb: 1\r\n" * 100000 + b"\r\n",
    b"GET / HTTP/1.1\r\nX-Bomb: " + b"b" * 1000000 + b"\r\n\r\n",
    b"GET /" + b"u" * 1000000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"n" * 1000000,
    b"\r\n" * 100000,
    b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"e" * 1000000,
    b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0\r\n" + b"t: 1\r\n" * 100000,
    b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100000,
    b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 999999999999999999\r\n\r\n" + b"x" * 100000,
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"[" * 1000000,
    b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n" * 20000,
]


async def bombs(port, amount):
    """`amount` heads and bodies of a kind that no client sends; each until the server ends it, or does not."""

    async def one(number):
        for turn in range(amount // 10):
            attacker = await connect(port)
            attacker.transport.write(BOMBS[(number * 7 + turn) % len(BOMBS)])
            await asyncio.wait([attacker.ended], timeout=0.3)
            attacker.transport.abort()

    await in_parallel(10, one)
    return amount


async def main():
    kind, port, amount = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.nice(10)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    if kind != "slow_loris":
        print("standing", flush=True)
    print("done", await {"noise": noise, "slow_loris": slow_loris, "bombs": bombs}[kind](port, amount), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
