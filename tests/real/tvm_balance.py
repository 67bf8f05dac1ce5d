"""The smallest load balancer, for tests/real/tvm: tvm_balance.py PORT BACKEND_PORT...

Connections go to the backends in turn; one that does not answer is left out until it does. What is inside, TLS among it, is nobody's
business here. A backend that goes takes its connections with it.
"""
import itertools, socket, sys, threading

port, backends = int(sys.argv[1]), [int(p) for p in sys.argv[2:]]
turn = itertools.count()


def pump(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass


def serve(client):
    first = next(turn)
    for n in range(len(backends)):
        try: backend = socket.create_connection(("127.0.0.1", backends[(first + n) % len(backends)]), 2)
        except OSError: continue
        backend.settimeout(None)
        threading.Thread(target=pump, args=(client, backend), daemon=True).start()
        pump(backend, client)
        break
    client.close()


listener = socket.create_server(("127.0.0.1", port), backlog=128)
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
