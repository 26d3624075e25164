"""Python's ssl, or pyOpenSSL with an OpenSSL of its own (call.py pyopenssl): what it says of each backend."""

import json, socket, struct, sys
from concurrent.futures import ThreadPoolExecutor

what, plan = sys.argv[1], json.load(open(sys.argv[2]))
REQUEST = "GET /n-0123456789abcdef HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n"


def connected(target):
    bare = socket.create_connection(("127.0.0.1", target["port"]), target["patience"])
    bare.settimeout(target["patience"])
    return bare


def status(read):
    """The status of a response that comes whole, and how it ends."""
    answer = b""
    while True:
        more = read()
        if not more:
            break
        answer += more
    if not answer:
        return "no answer"
    line = answer.split(b"\r\n")[0].decode(errors="replace")
    return line[9:12] if answer.endswith(b"}\n") else line[9:12] + " and no whole body"


def by_ssl(target):
    import ssl

    context = ssl.create_default_context(cafile=plan["ca"])
    context.load_cert_chain(plan["client"])
    context.post_handshake_auth = True
    said = []
    session = None
    # The second call offers the session of the first.
    for _ in range(2):
        try:
            with context.wrap_socket(connected(target), server_hostname=target["name"], session=session) as tls:
                said += [tls.version(), tls.cipher()[0]] if session is None else []
                said += ["resumed"] if tls.session_reused else []
                tls.sendall(REQUEST.format(target["name"]).encode())
                said.append(status(lambda: tls.recv(65536)))
                session = tls.session
        except ssl.SSLCertVerificationError as error:
            said.append(error.verify_message)
        except ssl.SSLError as error:
            said.append(error.reason or type(error).__name__)
        except ConnectionRefusedError:
            said.append("connection refused")
        except ConnectionError:
            said.append("connection reset")
        except OSError as error:
            said.append(type(error).__name__)
        if session is None:
            break
    return said


def by_pyopenssl(target):
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(plan["ca"])
    context.set_verify(SSL.VERIFY_PEER, lambda _connection, _certificate, _error, _depth, ok: bool(ok))
    context.use_certificate_chain_file(plan["client"])
    context.use_privatekey_file(plan["client"])
    said = []
    try:
        bare = connected(target)
        # Its sockets have to be blocking ones; the kernel watches the time (socket(7)).
        bare.settimeout(None)
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", target["patience"], 0))
        tls = SSL.Connection(context, bare)
        tls.set_tlsext_host_name(target["name"].encode())
        tls.set_connect_state()
        tls.do_handshake()
        said += [tls.get_protocol_version_name(), tls.get_cipher_name()]
        tls.sendall(REQUEST.format(target["name"]).encode())

        def read():
            try:
                return tls.recv(65536)
            except SSL.ZeroReturnError:
                return b""

        said.append(status(read))
    except SSL.WantReadError:
        said.append("timed out")
    except SSL.SysCallError as error:
        said.append("unexpected end" if error.args[0] == -1 else "connection reset")
    except SSL.Error as error:
        said.append(error.args[0][-1][2] if error.args and error.args[0] else "error")
    except OSError as error:
        said.append(type(error).__name__)
    return said


def ask(target):
    said = by_ssl(target) if what == "ssl" else by_pyopenssl(target)
    return target["backend"], ", ".join(said)


with ThreadPoolExecutor(16) as pool:
    for backend, said in pool.map(ask, plan["targets"]):
        print(f"{backend}\t{said}")
