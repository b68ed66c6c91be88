# SPDX-License-Identifier: Apache-2.0
"""A raw HTTP connection: sends exactly the bytes it is given, and reads answers strictly."""
import socket
import struct

PATIENCE = 30.0


class Answer:
    def __init__(self, status, headers, body, raw_head):
        self.status, self.headers, self.body, self.raw_head = status, headers, body, raw_head

    def __getitem__(self, name):
        return self.headers.get(name.lower())


class WireClient:
    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def post(self, body, path="/v1/chat/completions", headers=""):
        """A POST with a Content-Length; `headers` are whole lines."""
        data = body.encode() if isinstance(body, str) else body
        self.send(f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{headers}"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return len(data) > 0

    def read_until(self, mark):
        while mark not in self.buffer:
            assert self._more(), f"connection ended before {mark!r}: {self.buffer[:500]!r}"
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken + mark

    def read_exactly(self, count):
        while len(self.buffer) < count:
            assert self._more(), f"connection ended {count - len(self.buffer)} bytes early"
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_to_end(self):
        """Everything until the other side closes; a reset raises ConnectionResetError."""
        while self._more():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def read_head(self):
        head = self.read_until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")[:-2]
        assert lines[0].startswith("HTTP/1."), lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name == name.strip() and name.lower() not in headers, line
            headers[name.lower()] = value.strip()
        return Answer(int(lines[0].split(" ")[1]), headers, b"", head)

    def _read_chunks(self):
        body = b""
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            if size == 0:
                assert self.read_exactly(2) == b"\r\n"
                return body
            body += self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"

    def read_answer(self, is_head=False):
        """A whole answer, and not a byte more."""
        answer = self.read_head()
        if is_head or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer["Transfer-Encoding"] == "chunked":
            assert answer["Content-Length"] is None
            answer.body = self._read_chunks()
        elif answer["Content-Length"] is not None:
            answer.body = self.read_exactly(int(answer["Content-Length"]))
        else:
            answer.body = self.read_to_end()
        return answer

    def is_closed_by_peer(self):
        """Waits for the end of the connection; False when bytes come instead."""
        try:
            return self.buffer == b"" and not self._more()
        except ConnectionResetError:
            return True

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()
