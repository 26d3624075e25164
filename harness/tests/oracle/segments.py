import socket, ssl, sys
port, name, folder = sys.argv[1:4]
context = ssl.create_default_context(cafile=folder + "/root.pem")
class Call:
    def __init__(self, split=None, session=None):
        self.bare = socket.create_connection(("127.0.0.1", int(port)))
        self.bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname=name, session=session)
        self.split = split
    def do(self, step, *arguments):
        while True:
            try:
                done, wants = step(*arguments), False
            except ssl.SSLWantReadError:
                wants = True
            out = self.goes.read()
            if self.split and out:
                self.bare.sendall(out[:self.split])
                out, self.split = out[self.split:], None
                # The kernel says when the peer has acknowledged the first part.
                import fcntl, struct, termios
                while struct.unpack("i", fcntl.ioctl(self.bare, termios.TIOCOUTQ, b"0000"))[0]: pass
                # A tolerant server would wait for the rest.
                self.bare.settimeout(5)
                self.bare.recv(1, socket.MSG_PEEK)
            self.bare.sendall(out)
            if not wants: return done
            segment = self.bare.recv(65536)
            if segment: self.came.write(segment)
            else: self.came.write_eof()
    def getting(self):
        self.get()
        return self
    def segments(self):
        # tcpi_data_segs_in of `struct tcp_info` in linux/tcp.h
        import struct
        return struct.unpack_from("I", self.bare.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 152)[0]
    def ask(self):
        self.do(self.tls.do_handshake)
        self.do(self.tls.write, b"GET /n-0123456789abcdef HTTP/1.1\r\nhost: " + name.encode() + b"\r\n\r\n")
    def records(self, handshake):
        # The types of what comes next, unread by TLS, until so many handshake messages have come.
        bare, types = b"", []
        while types.count(22) < handshake:
            segment = self.bare.recv(65536)
            if not segment: break
            bare, types, at = bare + segment, [], 0
            while len(bare) >= at + 5:
                types.append(bare[at])
                at += 5 + int.from_bytes(bare[at + 3:at + 5], "big")
        return types
    def get(self):
        self.ask()
        answer = b""
        while not answer.endswith(b"}\n"):
            answer += self.do(self.tls.read, 65536)
        return answer
def again(call):
    return Call(session=call.tls.session).getting().tls.session_reused
def shown(call):
    return call.tls.getpeercert(True)
def status(kind):
    import urllib.request
    call = Call(); call.do(call.tls.do_handshake)
    url = call.tls.getpeercert()[kind][0]
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=1)
        return "ok"
    except Exception as error:
        return type(getattr(error, "reason", error)).__name__
def outcome(split=None):
    try:
        return "ok" if b"200 OK" in Call(split).get() else "other"
    except Exception as error:
        return type(error).__name__
