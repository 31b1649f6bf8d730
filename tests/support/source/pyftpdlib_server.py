"""A pyftpdlib server as a process of its own: FOLDER PORT USER PASSWORD CERTIFICATE [OPTION=VALUE…].

Options: ``max_cons``, ``max_cons_per_ip``, ``encoding`` (of names on the wire), ``without`` (a command it refuses to know),
``perm`` (what the user may do, in pyftpdlib's letters).
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer


def main(folder: str, port: str, user: str, password: str, certificate: str, *options: str) -> None:
    handler = TLS_FTPHandler if certificate else FTPHandler
    handler.authorizer = DummyAuthorizer()
    handler.authorizer.add_user(user, password, folder, perm="elr")
    handler.auth_failed_timeout = 0.2
    if certificate:
        handler.certfile = certificate
        handler.tls_control_required = handler.tls_data_required = True
    server = FTPServer(("127.0.0.1", int(port)), handler)
    for option in options:
        key, _, value = option.partition("=")
        if key == "encoding":
            handler.encoding = value
        elif key == "without":
            handler.proto_cmds = {verb: facts for verb, facts in handler.proto_cmds.items() if verb != value}
        elif key == "perm":
            handler.authorizer.user_table[user]["perm"] = value
        else:
            setattr(server, key, int(value))
    server.serve_forever()


main(*sys.argv[1:])
